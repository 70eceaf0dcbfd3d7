//! The part of libcmap that this crate uses: all of it that only reads.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;

use super::{Functions, Handle};

pub(crate) const MAP_ICMAP: c_uint = 0;
pub(crate) const MAP_STATS: c_uint = 1;
/// The longest name of a key, without its NUL.
pub(crate) const KEY_LENGTH_MAX: usize = 255;

/// The functions of `libcmap.so.4`.
pub(crate) struct Library {
    pub(crate) initialize_map: unsafe extern "C" fn(*mut Handle, map: c_uint) -> c_int,
    pub(crate) finalize: unsafe extern "C" fn(Handle) -> c_int,
    /// The value may be NULL: then only its length and type are told.
    pub(crate) get: unsafe extern "C" fn(
        Handle,
        key: *const c_char,
        value: *mut c_void,
        length: *mut usize,
        kind: *mut c_uint,
    ) -> c_int,
    pub(crate) iter_init: unsafe extern "C" fn(Handle, prefix: *const c_char, iterator: *mut Handle) -> c_int,
    /// Length and type may be NULL.
    pub(crate) iter_next: unsafe extern "C" fn(
        Handle,
        iterator: Handle,
        key: *mut c_char,
        length: *mut usize,
        kind: *mut c_uint,
    ) -> c_int,
    pub(crate) iter_finalize: unsafe extern "C" fn(Handle, iterator: Handle) -> c_int,
}

impl Functions for Library {
    const SONAME: &'static str = "libcmap.so.4";
    const PACKAGE: &'static str = "libcmap4";

    fn loaded() -> &'static OnceLock<Self> {
        static LIBRARY: OnceLock<Library> = OnceLock::new();
        &LIBRARY
    }

    fn find(library: &libloading::Library) -> Result<Self, libloading::Error> {
        // SAFETY: each symbol has the type that corosync/cmap.h (ABI 4) gives it.
        unsafe {
            Ok(Self {
                initialize_map: *library.get(b"cmap_initialize_map\0")?,
                finalize: *library.get(b"cmap_finalize\0")?,
                get: *library.get(b"cmap_get\0")?,
                iter_init: *library.get(b"cmap_iter_init\0")?,
                iter_next: *library.get(b"cmap_iter_next\0")?,
                iter_finalize: *library.get(b"cmap_iter_finalize\0")?,
            })
        }
    }
}
