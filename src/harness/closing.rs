//! The end of a run that came early: what runs then is asked to stop, and waited for.

use std::time::Duration;

use super::error::HarnessError;
use super::live::Live;

/// As services have where nobody says otherwise.
const COMMAND_STOPS_WITHIN: Duration = Duration::from_secs(10);

/// Who waits this long wonders why.
const TOLD_AFTER: Duration = Duration::from_secs(1);

impl Live<'_> {
    /// Lets what still runs come to its own end, since what it holds may not be memtide's: services hear their stop
    /// signal, an interrupted command what interrupted memtide. A second Ctrl-C waits for none.
    pub(super) fn close(&mut self) -> Result<(), HarnessError> {
        let longest = self.stop_services().max(self.interrupt_command());
        let begin = self.parts.clock.now_ns();
        self.parts.deadline = None;
        self.stop = false;
        self.closing = true;
        let mut is_told = !self.of_run.interrupted;
        while self.is_awaited() && !self.stop {
            let waited = self.parts.clock.now_ns().saturating_sub(begin);
            let waited = Duration::from_nanos(waited);
            if waited >= longest {
                break;
            }
            if waited >= TOLD_AFTER && !is_told {
                is_told = true;
                let most = longest.as_secs();
                log::warn!(
                    "waiting for what runs to stop, {most} s at most; Ctrl-C again kills it"
                );
            }
            self.wait()?;
        }
        Ok(())
    }

    fn is_awaited(&self) -> bool {
        let mut actors = self.parts.actors.iter();
        !self.served.is_empty() || actors.any(|a| a.is_command() && a.is_alive())
    }

    /// How long a command may take to end that a signal ends; nothing where none is interrupted.
    fn interrupt_command(&self) -> Duration {
        if !self.of_run.interrupted {
            return Duration::ZERO;
        }
        let commands = self.parts.actors.iter().filter(|a| a.is_command());
        // A terminal tells both, a kill(1) memtide alone.
        if let Some(signal) = self.sent {
            commands.for_each(|command| command.signal(signal));
        }
        COMMAND_STOPS_WITHIN
    }
}
