//! What only the inside can arrange: disks that fail, lose and lie, and stores from the future.

mod crash;
mod damage;
mod disk;
mod groups;
mod log;
mod upgrade;
mod workload;
