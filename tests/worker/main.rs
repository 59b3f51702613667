//! Workers do what their steps say, and their truth pages say what is so: through the real
//! worker process, seen from outside by what the kernel says of it.

mod command;
mod heap;
mod log;
mod memory;
mod protocol;
mod read;
mod rotate;
mod support;
