//! Files in memory: charged to whom wrote them, and there until they are deleted.

use super::world::{Killed, World};

impl World {
    /// Writes to a file in memory.
    ///
    /// # Errors
    /// When the OOM killer ended this process for it.
    pub fn fill_tmpfs(&mut self, who: usize, name: &str, pages: u64) -> Result<(), Killed> {
        let group = self.processes[who].memcg;
        let had: u64 = self
            .tmpfs
            .get(name)
            .map_or(0, |parts| parts.iter().map(|(_, pages)| pages).sum());
        let result = self.until_it_fits(who, pages, |memcg, done, part| {
            memcg.add_shmem(had + done, part)
        });
        let pages = result.err().unwrap_or(pages);
        let parts = self.tmpfs.entry(name.into()).or_default();
        match parts.iter_mut().find(|(other, _)| *other == group) {
            Some((_, known)) => *known += pages,
            None => parts.push((group, pages)),
        }
        result.map_err(|_| Killed)
    }

    /// Deletes a file in memory; returns whether there was one.
    pub fn remove_tmpfs(&mut self, name: &str) -> bool {
        let Some(parts) = self.tmpfs.remove(name) else {
            return false;
        };
        for (group, pages) in parts {
            self.groups[group].memcg.drop_shmem(pages);
        }
        true
    }
}
