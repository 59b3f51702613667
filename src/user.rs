//! Commands with another user's rights.

use std::path::Path;
use std::process::Command;

use nix::unistd::{User, chown};

use crate::sys::process;

/// Lets the next child of `command` run as the user of this name; after all that needs more rights
/// was arranged (see [`process::Child::prepare`]).
///
/// # Errors
/// In words: when there is no such user.
pub fn become_user(command: &mut Command, name: &str) -> Result<User, String> {
    let found =
        User::from_name(name).map_err(|error| format!("looking for user {name}: {error}"))?;
    let user = found.ok_or_else(|| {
        format!("there is no user {name} here; install what makes it, or name another")
    })?;
    // The home it would have after a login; many programs look there first.
    command.env("HOME", &user.dir).env("USER", name);
    process::drop_rights(command, user.uid.as_raw(), user.gid.as_raw());
    Ok(user)
}

/// Gives `folder` to a user.
///
/// # Errors
/// In words: only root can.
pub fn give(folder: &Path, user: &User) -> Result<(), String> {
    chown(folder, Some(user.uid), Some(user.gid)).map_err(|error| {
        let folder = folder.display();
        format!(
            "giving {folder} to user {}: {error}; run it as root",
            user.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_is_not_there_is_an_error_with_the_name() {
        let mut command = Command::new("true");
        let error = become_user(&mut command, "no-such-user").unwrap_err();
        assert!(error.contains("no-such-user"), "{error}");
    }
}
