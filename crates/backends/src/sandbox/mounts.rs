//! Which files a process under `strict` may change at all, by mounts.
//!
//! Landlock holds back neither modes nor owners nor times, and whoever has their owner's number may change those. So
//! every mount is read-only, and a folder that may be written to is a mount of its own that is not.

use std::{
    env,
    ffi::OsString,
    fs,
    os::{fd::OwnedFd, unix::ffi::OsStringExt as _},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
};
use rustix::{
    fs::{CWD, StatVfsMountFlags, statvfs},
    mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree},
    process::fchdir,
};

use super::{
    Room,
    confine::{Failure, at},
};

/// A folder that may be written to, before it is seen again where it was.
struct Writable {
    path: PathBuf,
    tree: OwnedFd,
}

/// A mount of this process's namespace.
struct Mount {
    point: PathBuf,
    /// Whether nobody writes to it as it is.
    read_only: bool,
    /// What it keeps.
    flags: MsFlags,
}

/// Makes every mount read-only but those of the folders that the room gives to write to.
pub(super) fn protect(room: &Room) -> Result<(), Failure> {
    let writable = writable(room)?;
    for mount in mounts()? {
        mount.protect()?;
    }
    hold("/")?;
    if !room.folder {
        return writable.iter().try_for_each(Writable::attach);
    }
    hold(".")?;
    let folder = env::current_dir().map_err(at("working folder"))?;
    for part in &writable {
        part.attach()?;
        if let Ok(rest) = folder.strip_prefix(&part.path) {
            // Or it would stay in what lies below.
            fchdir(&part.tree).map_err(at("working folder"))?;
            if rest != Path::new("") {
                env::set_current_dir(rest).map_err(at("working folder"))?;
            }
        }
    }
    Ok(())
}

/// The folders to write to, of which Landlock passes over the same.
fn writable(room: &Room) -> Result<Vec<Writable>, Failure> {
    let paths = room.sandbox.write.iter().map(Path::new);
    let paths = paths.filter(|path| room.folder || path.is_absolute());
    let found = paths.filter_map(|path| path.canonicalize().ok());
    let whole = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let found = found.map(|path| {
        let tree = open_tree(CWD, &path, whole).map_err(at("folders to write to"))?;
        Ok(Writable { path, tree })
    });
    found.collect()
}

impl Writable {
    fn attach(&self) -> Result<(), Failure> {
        let itself = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&self.tree, "", CWD, &self.path, itself).map_err(at("folders to write to"))
    }
}

/// Checks that nobody writes below a folder.
fn hold(folder: &str) -> Result<(), Failure> {
    let mounted = statvfs(folder).map_err(at("mounts"))?;
    match mounted.f_flag.contains(StatVfsMountFlags::RDONLY) {
        true => Ok(()),
        false => Err(at("mounts")(format!("{folder} can be written to"))),
    }
}

fn mounts() -> Result<Vec<Mount>, Failure> {
    let told = fs::read("/proc/self/mountinfo").map_err(at("mounts"))?;
    let lines = told.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let read = |line| Mount::read(line).ok_or_else(|| at("mounts")("a line has another form"));
    lines.map(read).collect()
}

impl Mount {
    /// Reads a line of `mountinfo`.
    fn read(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|byte| *byte == b' ').skip(4);
        let (point, options) = (words.next()?, words.next()?);
        let options: Vec<&[u8]> = options.split(|byte| *byte == b',').collect();
        let kept = [
            (&b"nosuid"[..], MsFlags::MS_NOSUID),
            (b"nodev", MsFlags::MS_NODEV),
            (b"noexec", MsFlags::MS_NOEXEC),
        ];
        let kept = kept.iter().filter(|(name, _)| options.contains(name));
        Some(Self {
            point: unescaped(point)?,
            read_only: options.contains(&&b"ro"[..]),
            flags: kept.map(|(_, flag)| *flag).collect(),
        })
    }

    fn protect(&self) -> Result<(), Failure> {
        if self.read_only {
            return Ok(());
        }
        let nothing = None::<&str>;
        let changed = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | self.flags;
        match mount(nothing, &self.point, nothing, changed, nothing) {
            // Out of reach, or under another mount: of the process as well.
            Ok(()) | Err(Errno::EACCES | Errno::ENOENT | Errno::EINVAL) => Ok(()),
            Err(error) => Err(at("mounts")(format!("{}: {error}", self.point.display()))),
        }
    }
}

/// A path as the kernel writes it, with three octal digits for what would end a word.
fn unescaped(word: &[u8]) -> Option<PathBuf> {
    let mut parts = word.split(|byte| *byte == b'\\');
    let mut path = parts.next()?.to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(3)?;
        let digits = std::str::from_utf8(digits).ok()?;
        path.push(u8::from_str_radix(digits, 8).ok()?);
        path.extend_from_slice(rest);
    }
    Some(OsString::from_vec(path).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_read_with_its_place_and_what_it_keeps() {
        let line = b"36 35 98:0 /mnt1 /a\\040b\\134c rw,nosuid,noexec,relatime master:1 - ext3 /dev/root rw";

        let mount = Mount::read(line).unwrap();

        assert_eq!(mount.point, Path::new("/a b\\c"));
        assert_eq!(mount.flags, MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC);
        assert!(!mount.read_only);
        assert!(
            Mount::read(b"36 35 98:0 / /proc ro - proc proc rw")
                .unwrap()
                .read_only
        );
        assert!(Mount::read(b"36 35 98:0 / /a\\04 rw - proc proc rw").is_none());
    }
}
