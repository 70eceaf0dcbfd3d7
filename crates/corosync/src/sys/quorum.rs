//! The part of libquorum that this crate uses.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

use super::{Functions, Handle};

/// What `quorum_initialize` says where corosync.conf names no provider.
pub(crate) const QUORUM_FREE: u32 = 0;

/// The functions of `libquorum.so.5`.
pub(crate) struct Library {
    /// The callbacks may be NULL: then nothing is ever dispatched.
    pub(crate) initialize: unsafe extern "C" fn(*mut Handle, callbacks: *mut c_void, kind: *mut u32) -> c_int,
    pub(crate) finalize: unsafe extern "C" fn(Handle) -> c_int,
    pub(crate) getquorate: unsafe extern "C" fn(Handle, quorate: *mut c_int) -> c_int,
}

impl Functions for Library {
    const SONAME: &'static str = "libquorum.so.5";
    const PACKAGE: &'static str = "libquorum5";

    fn loaded() -> &'static OnceLock<Self> {
        static LIBRARY: OnceLock<Library> = OnceLock::new();
        &LIBRARY
    }

    fn find(library: &libloading::Library) -> Result<Self, libloading::Error> {
        // SAFETY: each symbol has the type that corosync/quorum.h (ABI 5) gives it.
        unsafe {
            Ok(Self {
                initialize: *library.get(b"quorum_initialize\0")?,
                finalize: *library.get(b"quorum_finalize\0")?,
                getquorate: *library.get(b"quorum_getquorate\0")?,
            })
        }
    }
}
