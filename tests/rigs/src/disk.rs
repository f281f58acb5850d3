//! A disk whose power can be cut: a file served by this process, loop-mounted as ext4.
//!
//! The disk has a volatile cache, as real ones do. A write is in the cache when it is acknowledged,
//! and on the plate after the next flush. A cut loses what was never written to the disk at all,
//! page cache of the mounted file system included; of the writes since the last flush some
//! survive, some do not, and some are torn between sectors.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context as _, ensure};
use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation,
    INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyWrite,
    Request, WriteFlags,
};
use tokio::{process::Command, sync::Notify, time::timeout};

use crate::{
    dice::Dice,
    pace::{ms, now, pause},
};

/// Bytes of the disk.
const SIZE: usize = 96 * 1024 * 1024;
/// What is never torn, bytes.
const SECTOR: usize = 512;
const TTL: Duration = Duration::from_secs(1);
/// Longest wait for a write under load.
const PATIENCE: Duration = Duration::from_secs(30);

/// The plate, and the cache above it.
#[derive(Debug)]
struct Medium {
    plate: Vec<u8>,
    /// Writes since the last flush, in order.
    cache: Vec<(usize, Vec<u8>)>,
    /// How often power came on; each time the disk is another file, so that no page survives.
    power_on: u64,
    has_power: bool,
    flushes: u64,
    /// Writes and flushes until the power goes, where that is arranged.
    left: Option<u64>,
    /// Writes that cuts have lost or torn.
    lost: usize,
    dice: Dice,
}

impl Medium {
    fn inode(&self) -> u64 {
        self.power_on + 1
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> bool {
        let fits = offset
            .checked_add(bytes.len())
            .is_some_and(|end| end <= SIZE);
        if fits {
            self.cache.push((offset, bytes.to_vec()));
        }
        fits
    }

    fn flush(&mut self) {
        for (offset, bytes) in std::mem::take(&mut self.cache) {
            put(&mut self.plate, offset, &bytes);
        }
        self.flushes += 1;
    }

    fn read(&self, offset: usize, size: usize) -> Vec<u8> {
        let end = offset.saturating_add(size).min(SIZE);
        let mut bytes = self.plate.get(offset..end).unwrap_or_default().to_vec();
        for (at, written) in &self.cache {
            // Where a write of the cache and what is read lie over each other.
            let (from, to) = (offset.max(*at), end.min(at + written.len()));
            if from < to
                && let Some(part) = written.get(from - at..to - at)
            {
                put(&mut bytes, from - offset, part);
            }
        }
        bytes
    }

    /// Counts a write or flush; the power may go before it.
    fn count(&mut self, gone: &Notify) {
        self.left = self.left.map(|left| left.saturating_sub(1));
        if self.left == Some(0) {
            self.cut(gone);
        }
    }

    /// Ends the power: what the cache held is partly lost.
    fn cut(&mut self, gone: &Notify) {
        if !std::mem::take(&mut self.has_power) {
            return;
        }
        self.left = None;
        // Now and then all of the cache is lost, or none of it.
        let mood = self.dice.below(4);
        for (offset, bytes) in std::mem::take(&mut self.cache) {
            let sectors = bytes.len().div_ceil(SECTOR);
            let kept = match (mood, self.dice.below(3)) {
                (0, _) | (2.., 0) => 0,
                (1, _) | (2.., 1) => sectors,
                _ => usize::try_from(self.dice.below(sectors as u64)).unwrap_or_default(),
            };
            self.lost += usize::from(kept < sectors);
            let kept = bytes.len().min(kept * SECTOR);
            put(
                &mut self.plate,
                offset,
                bytes.get(..kept).unwrap_or_default(),
            );
        }
        gone.notify_one();
    }
}

fn put(into: &mut [u8], offset: usize, bytes: &[u8]) {
    if let Some(place) = into.get_mut(offset..offset + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// A handle on the medium, for the file system that serves it.
#[derive(Clone, Debug)]
struct Served {
    medium: Arc<Mutex<Medium>>,
    /// Told when the power goes.
    gone: Arc<Notify>,
}

impl Served {
    fn lock(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The medium, if this is the file it is now and there is power.
    fn on(&self, inode: INodeNo) -> Option<MutexGuard<'_, Medium>> {
        let medium = self.lock();
        (medium.has_power && medium.inode() == inode.0).then_some(medium)
    }

    /// As [`Served::on`], for a write or a flush.
    fn changing(&self, inode: INodeNo) -> Option<MutexGuard<'_, Medium>> {
        let mut medium = self.on(inode)?;
        medium.count(&self.gone);
        medium.has_power.then_some(medium)
    }
}

fn attributes(inode: INodeNo) -> FileAttr {
    let is_root = inode == INodeNo::ROOT;
    FileAttr {
        ino: inode,
        size: if is_root { 0 } else { SIZE as u64 },
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: match is_root {
            true => FileType::Directory,
            false => FileType::RegularFile,
        },
        perm: if is_root { 0o700 } else { 0o600 },
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let medium = self.lock();
        if name == OsStr::new(&medium.power_on.to_string()) {
            let attributes = attributes(INodeNo(medium.inode()));
            reply.entry(&TTL, &attributes, Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &attributes(inode));
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match (self.on(inode), usize::try_from(offset)) {
            (Some(medium), Ok(offset)) => reply.data(&medium.read(offset, size as usize)),
            _ => reply.error(Errno::EIO),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let offset = usize::try_from(offset).unwrap_or(SIZE);
        let is_written = self
            .changing(inode)
            .is_some_and(|mut it| it.write(offset, data));
        match u32::try_from(data.len()) {
            Ok(size) if is_written => reply.written(size),
            _ => reply.error(Errno::EIO),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // A file was closed; the disk hears nothing of it.
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match self.changing(inode) {
            Some(mut medium) => {
                medium.flush();
                reply.ok();
            }
            None => reply.error(Errno::EIO),
        }
    }
}

/// The disk with the file system on it, mounted at [`Disk::folder`].
#[derive(Debug)]
pub(crate) struct Disk {
    medium: Served,
    served_at: PathBuf,
    folder: PathBuf,
    session: Option<BackgroundSession>,
}

impl Disk {
    /// Makes the disk with an empty ext4, and mounts it. The seed draws
    /// what a cut loses. Needs root, FUSE and loop devices.
    pub(crate) async fn make(scratch: &Path, seed: u64) -> anyhow::Result<Self> {
        let image = scratch.join("empty.ext4");
        std::fs::File::create(&image)?.set_len(SIZE as u64)?;
        let text = image.display().to_string();
        let options = "nodiscard,lazy_itable_init=0,lazy_journal_init=0";
        tool("mkfs.ext4", &["-q", "-F", "-m", "0", "-E", options, &text]).await?;
        let plate = std::fs::read(&image)?;
        std::fs::remove_file(&image)?;
        let medium = Medium {
            plate,
            cache: Vec::new(),
            power_on: 0,
            has_power: false,
            flushes: 0,
            left: None,
            lost: 0,
            dice: Dice::new(seed),
        };
        let medium = Served {
            medium: Arc::new(Mutex::new(medium)),
            gone: Arc::default(),
        };
        let [served_at, folder] = ["disk", "mounted"].map(|name| scratch.join(name));
        std::fs::create_dir(&served_at)?;
        std::fs::create_dir(&folder)?;
        let session = fuser::spawn_mount(medium.clone(), &served_at, &Config::default())
            .context("the disk cannot be served: is there /dev/fuse, and is this root?")?;
        let mut disk = Self {
            medium,
            served_at,
            folder,
            session: Some(session),
        };
        disk.power_on().await?;
        Ok(disk)
    }

    /// Where its file system is mounted.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// How often it was flushed.
    pub(crate) fn flushes(&self) -> u64 {
        self.medium.lock().flushes
    }

    /// How many writes were lost or torn in cuts.
    pub(crate) fn lost(&self) -> usize {
        self.medium.lock().lost
    }

    /// Cuts the power now, or just before one of the next writes and flushes, counted from one.
    /// From that moment none succeeds.
    pub(crate) async fn cut(&mut self, operation: Option<u64>) -> anyhow::Result<()> {
        {
            let mut medium = self.medium.lock();
            match operation {
                None => medium.cut(&self.medium.gone),
                Some(_) => medium.left = operation,
            }
        }
        let gone = timeout(PATIENCE, self.medium.gone.notified()).await;
        gone.context("nobody writes to the disk")
    }

    /// Takes the mounted file system away, once nobody uses it.
    pub(crate) async fn unmount(&mut self) -> anyhow::Result<()> {
        let folder = self.folder.display().to_string();
        let begun = now();
        loop {
            match tool("umount", &[&folder]).await {
                // A program that a killed daemon was just starting holds its files a moment longer.
                Err(_) if begun.elapsed() < PATIENCE => pause(ms(20)).await,
                done => return done,
            }
        }
    }

    /// Gives the disk power again, and mounts what is on it; the file system mends itself.
    pub(crate) async fn power_on(&mut self) -> anyhow::Result<()> {
        let name = {
            let mut medium = self.medium.lock();
            medium.power_on += 1;
            medium.has_power = true;
            medium.power_on.to_string()
        };
        let disk = self.served_at.join(name).display().to_string();
        let folder = self.folder.display().to_string();
        tool("mount", &["-t", "ext4", "-o", "loop", &disk, &folder]).await
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let folder = self.folder.as_os_str();
        let mut command = std::process::Command::new("umount");
        command.arg("-l").arg(folder).stderr(Stdio::null());
        // It may not be mounted; what is left goes with the namespace of mounts.
        let _: io::Result<_> = command.status();
        drop(self.session.take());
    }
}

async fn tool(name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::null());
    let output = command.output().await;
    let output = output.with_context(|| format!("{name} does not run"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} {arguments:?}: {told}");
    Ok(())
}
