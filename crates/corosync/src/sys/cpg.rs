//! The part of libcpg that this crate uses.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;

use super::{Functions, Handle};

pub(crate) const CS_DISPATCH_ONE_NONBLOCKING: c_int = 4;
pub(crate) const CPG_TYPE_AGREED: c_int = 2;
pub(crate) const CPG_MODEL_V1: c_int = 1;
pub(crate) const NAME_LENGTH_MAX: usize = 128;
/// What the daemon can put into one answer; the header's CPG_MEMBERS_MAX (128) is smaller than that.
pub(crate) const MEMBERS_MAX: usize = 512;

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Address {
    pub(crate) nodeid: u32,
    pub(crate) pid: u32,
    pub(crate) reason: u32,
}

#[repr(C)]
pub(crate) struct Name {
    pub(crate) length: u32,
    pub(crate) value: [c_char; NAME_LENGTH_MAX],
}

#[repr(C)]
pub(crate) struct Iovec {
    pub(crate) base: *const c_void,
    pub(crate) length: usize,
}

pub(crate) type Deliver =
    unsafe extern "C" fn(Handle, *const Name, nodeid: u32, pid: u32, message: *mut c_void, length: usize);

pub(crate) type Confchg = unsafe extern "C" fn(
    Handle,
    *const Name,
    members: *const Address,
    members_count: usize,
    left: *const Address,
    left_count: usize,
    joined: *const Address,
    joined_count: usize,
);

/// `cpg_model_v1_data_t`; the ring callback is never set, so its type does not matter.
#[repr(C)]
pub(crate) struct Model {
    pub(crate) model: c_int,
    pub(crate) deliver: Option<Deliver>,
    pub(crate) confchg: Option<Confchg>,
    pub(crate) ring_confchg: Option<unsafe extern "C" fn()>,
    pub(crate) flags: c_uint,
}

/// The functions of `libcpg.so.4`.
pub(crate) struct Library {
    pub(crate) model_initialize:
        unsafe extern "C" fn(*mut Handle, model: c_int, *mut Model, context: *mut c_void) -> c_int,
    pub(crate) finalize: unsafe extern "C" fn(Handle) -> c_int,
    pub(crate) fd_get: unsafe extern "C" fn(Handle, *mut c_int) -> c_int,
    pub(crate) context_get: unsafe extern "C" fn(Handle, *mut *mut c_void) -> c_int,
    pub(crate) dispatch: unsafe extern "C" fn(Handle, flags: c_int) -> c_int,
    pub(crate) join: unsafe extern "C" fn(Handle, *const Name) -> c_int,
    pub(crate) leave: unsafe extern "C" fn(Handle, *const Name) -> c_int,
    pub(crate) mcast_joined:
        unsafe extern "C" fn(Handle, guarantee: c_int, *const Iovec, count: c_uint) -> c_int,
    pub(crate) membership_get:
        unsafe extern "C" fn(Handle, *mut Name, *mut Address, count: *mut c_int) -> c_int,
    pub(crate) local_get: unsafe extern "C" fn(Handle, nodeid: *mut c_uint) -> c_int,
}

impl Functions for Library {
    const SONAME: &'static str = "libcpg.so.4";
    const PACKAGE: &'static str = "libcpg4";

    fn loaded() -> &'static OnceLock<Self> {
        static LIBRARY: OnceLock<Library> = OnceLock::new();
        &LIBRARY
    }

    fn find(library: &libloading::Library) -> Result<Self, libloading::Error> {
        // SAFETY: each symbol has the type that corosync/cpg.h (ABI 4) gives it.
        unsafe {
            Ok(Self {
                model_initialize: *library.get(b"cpg_model_initialize\0")?,
                finalize: *library.get(b"cpg_finalize\0")?,
                fd_get: *library.get(b"cpg_fd_get\0")?,
                context_get: *library.get(b"cpg_context_get\0")?,
                dispatch: *library.get(b"cpg_dispatch\0")?,
                join: *library.get(b"cpg_join\0")?,
                leave: *library.get(b"cpg_leave\0")?,
                mcast_joined: *library.get(b"cpg_mcast_joined\0")?,
                membership_get: *library.get(b"cpg_membership_get\0")?,
                local_get: *library.get(b"cpg_local_get\0")?,
            })
        }
    }
}

/// The lowest address of the calling thread's stack, or none where the system does not say.
pub(crate) fn stack_bottom() -> Option<usize> {
    // SAFETY: the attributes are filled in by the first call before anything reads them, and destroyed once.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return None;
        }
        let mut bottom = std::ptr::null_mut();
        let mut size = 0;
        let found = libc::pthread_attr_getstack(&raw const attributes, &raw mut bottom, &raw mut size);
        libc::pthread_attr_destroy(&raw mut attributes);
        (found == 0).then_some(bottom as usize)
    }
}
