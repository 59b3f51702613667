//! `sleep`: waits, holding everything the actor has. Costs no CPU.

use super::{Context, Needs, Reached, Sleep, Unit, Work, WorkError, clock};

impl Work for Sleep {
    fn run(&self, _: &mut Context) -> Result<Reached, WorkError> {
        let start = clock::now();
        clock::sleep_until(start.saturating_add(clock::ms(self.duration_ms)));
        let slept = (clock::now() - start) / 1_000_000;
        Ok(Reached::new(self.duration_ms, slept, Unit::Ms))
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}
