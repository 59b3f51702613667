//! Workers do what their steps say, and their truth pages say what is so: through the real
//! worker process, seen from outside by what the kernel says of it.

#[path = "../common/mod.rs"]
mod common;

mod command;
mod container;
mod heap;
mod kernel;
mod log;
mod memory;
mod old_kernel;
mod protocol;
mod read;
mod rotate;
mod support;
mod trouble;
