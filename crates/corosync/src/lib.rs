//! Closed process groups (CPG) of [corosync](https://corosync.github.io/corosync/) for Rust, and its own view of its
//! cluster: quorum, members, statistics.
//!
//! A *group* is a name that processes on the nodes of a corosync cluster join. Every member sees
//! every message and every change of the membership in one total order. That is all, and it is enough to
//! build replicated things on.
//!
//! - [`Session`] is what most programs want: a thread that stays in a group. It reconnects by itself, sends
//!   in order, never has more in flight than corosync can take, and hands over [`Event`]s.
//! - [`Cpg`] is one connection without any policy: `join`, `multicast`, `dispatch` that *returns* what came.
//! - [`Quorum`] and [`Cmap`] watch: whether this partition has the quorum, and what corosync's two maps hold (its
//!   configuration and members; what it counts and measures of token and links). They only read.
//!
//! Each C library is loaded when the first connection is made (`libcpg.so.4`, `libquorum.so.5`, `libcmap.so.4`), not
//! linked. So programs build, start and run their tests on machines that have never seen corosync, and a missing
//! library is an [`Error`] that names the package to install.
//!
//! What these libraries do that their manuals do not say, and what this crate does about it, is in the README.

#![warn(clippy::undocumented_unsafe_blocks)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use cmap::{Cmap, Map};
pub use cpg::{Cpg, Incoming};
pub use error::{CsError, Error};
pub use group::{GroupName, GroupNameError, Member, Reason};
pub use quorum::Quorum;
pub use session::{Event, Full, Session};
pub use value::Value;

mod cmap;
mod cpg;
mod error;
mod group;
mod quorum;
mod session;
mod sys;
mod value;
mod window;
mod worker;
