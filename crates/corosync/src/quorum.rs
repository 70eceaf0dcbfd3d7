//! One connection to corosync's quorum service.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::marker::PhantomData;
use std::ptr;

use crate::Error;
use crate::sys::quorum::{Library, QUORUM_FREE};
use crate::sys::{Handle, check, load, setup};

/// Asks the local corosync whether its partition has the quorum. It stays on the thread that made it.
///
/// Each call waits for the daemon's answer: as long as a stopped daemon stays stopped.
pub struct Quorum {
    library: &'static Library,
    handle: Handle,
    has_provider: bool,
    /// libqb's rings cannot be shared.
    not_send: PhantomData<*const ()>,
}

impl Quorum {
    /// Connects to the corosync of this network and IPC namespace.
    ///
    /// # Errors
    /// No library, no daemon, no permission.
    pub fn initialize() -> Result<Self, Error> {
        let library = load::<Library>()?;
        let mut handle = 0;
        let mut kind = QUORUM_FREE;
        let guard = setup();
        // SAFETY: both pointers are valid for the call, and no callbacks are wanted.
        let code = unsafe { (library.initialize)(&raw mut handle, ptr::null_mut(), &raw mut kind) };
        drop(guard);
        check("quorum_initialize", code)?;
        Ok(Self { library, handle, has_provider: kind != QUORUM_FREE, not_send: PhantomData })
    }

    /// True when this node's partition has the quorum.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn is_quorate(&self) -> Result<bool, Error> {
        let mut quorate: c_int = 0;
        // SAFETY: the pointer is valid for the call.
        let code = unsafe { (self.library.getquorate)(self.handle, &raw mut quorate) };
        check("quorum_getquorate", code)?;
        Ok(quorate != 0)
    }

    /// False when corosync.conf names no quorum provider, so that nobody counts votes.
    #[must_use]
    pub fn has_provider(&self) -> bool {
        self.has_provider
    }
}

impl Drop for Quorum {
    fn drop(&mut self) {
        let _guard = setup();
        // SAFETY: the handle is not used after this.
        unsafe { (self.library.finalize)(self.handle) };
    }
}

impl std::fmt::Debug for Quorum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quorum").field("handle", &self.handle).finish_non_exhaustive()
    }
}
