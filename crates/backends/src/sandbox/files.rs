//! Which files a process under `strict` may open, by Landlock.

use std::{ffi::OsStr, path::Path};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::{
    Room, SCRATCH,
    confine::{Failure, at},
};

/// What programs need to run.
pub(super) const SYSTEM: [&str; 15] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
];
/// Devices that are data.
const DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

/// Keeps this process from every file but the system's, its folder's, and those that it is given.
pub(super) fn restrict(room: &Room, program: &OsStr) -> Result<(), Failure> {
    let status = ruleset(room, program).map_err(at("Landlock"))?;
    match status {
        RulesetStatus::NotEnforced => Err(at("Landlock")("the kernel has none")),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}

fn ruleset(room: &Room, program: &OsStr) -> Result<RulesetStatus, RulesetError> {
    // Without these a kernel is too old; what later ones add, the namespaces keep it from too.
    let needed = ABI::V3;
    let (all, newest) = (AccessFs::from_all(needed), ABI::V6);
    let run = AccessFs::from_read(newest);
    let data = AccessFs::ReadFile | AccessFs::WriteFile;
    let Room { sandbox, folder } = room;
    let beside = program_file(program);
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(all)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(newest))?
        .handle_access(AccessNet::from_all(newest))?
        .scope(Scope::from_all(newest))?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, run))?
        .add_rules(path_beneath_rules(beside, run))?
        .add_rules(path_beneath_rules(folder.then_some("."), run))?
        .add_rules(path_beneath_rules(&sandbox.read, run))?
        .add_rules(path_beneath_rules(DEVICES, data))?
        .add_rules(path_beneath_rules(
            sandbox.write.iter().map(String::as_str).chain([SCRATCH]),
            AccessFs::from_all(newest) & !AccessFs::Execute & !AccessFs::IoctlDev,
        ))?;
    Ok(rules.restrict_self()?.ruleset)
}

/// The program itself, where it is named by a path.
fn program_file(program: &OsStr) -> Option<&Path> {
    let path = Path::new(program);
    (path.components().count() > 1).then_some(path)
}
