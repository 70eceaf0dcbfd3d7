//! One connection to a map of corosync.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_int, c_uint};
use std::marker::PhantomData;
use std::ptr;

use crate::sys::cmap::{self as sys, Library};
use crate::sys::{Handle, check, load, setup};
use crate::{CsError, Error, Value};

/// Reads one of the local corosync's maps. It stays on the thread that made it.
///
/// Each key costs one question to the daemon, a whole prefix two for each of its keys. Each waits for the answer: as
/// long as a stopped daemon stays stopped. Keep the connection for the next reading: every new one counts in
/// `stats.ipcs.*`.
pub struct Cmap {
    library: &'static Library,
    handle: Handle,
    /// libqb's rings cannot be shared.
    not_send: PhantomData<*const ()>,
}

/// Which map. What is in them: `man 7 cmap_keys`, and `corosync-cmapctl [-m stats]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Map {
    /// corosync.conf, what corosync made of it, and the members: `nodelist.`, `runtime.members.`, `totem.`.
    ///
    /// **With the cluster's key**, if that stands in corosync.conf (`totem.key`): show no more of it than you must.
    Config,
    /// What corosync counts and measures: `stats.srp.`, `stats.knet.`, `stats.ipcs.`. Read anew at each question.
    Stats,
}

/// Room for a value at the first attempt. Only strings and binaries can be longer, and none of [`Map::Stats`] is:
/// there the daemon writes a value whole, however little room it was asked to keep to.
const ROOM: usize = 1024;

impl Cmap {
    /// Connects to the corosync of this network and IPC namespace.
    ///
    /// # Errors
    /// No library, no daemon, no permission.
    pub fn initialize(map: Map) -> Result<Self, Error> {
        let library = load::<Library>()?;
        let map = match map {
            Map::Config => sys::MAP_ICMAP,
            Map::Stats => sys::MAP_STATS,
        };
        let mut handle = 0;
        let guard = setup();
        // SAFETY: the pointer is valid for the call.
        let code = unsafe { (library.initialize_map)(&raw mut handle, map) };
        drop(guard);
        check("cmap_initialize_map", code)?;
        Ok(Self { library, handle, not_send: PhantomData })
    }

    /// The value of `key`, or none when there is no such key.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn get(&self, key: &str) -> Result<Option<Value>, Error> {
        let Some(key) = name(key) else { return Ok(None) };
        match self.value(&key) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.code() == Some(CsError::NotExist) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All keys that start with `prefix` (all at all, if that is empty), with their values.
    ///
    /// It is no snapshot: the daemon goes on between two keys. A key that goes away meanwhile is left out, and so is
    /// one that the daemon lists but cannot read.
    ///
    /// # Errors
    /// When the connection is gone, or corosync is busy.
    pub fn iterate(&self, prefix: &str) -> Result<Vec<(String, Value)>, Error> {
        let Some(prefix) = name(prefix) else { return Ok(Vec::new()) };
        let Some(mut keys) = Keys::start(self, &prefix)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        while let Some(key) = keys.next()? {
            match self.value(&key) {
                Ok(value) => found.push((key.to_string_lossy().into_owned(), value)),
                Err(error) if error.is_try_again() => return Err(error),
                // Of this key only (the daemon says CS_ERR_LIBRARY of a link that went away), or else the next
                // question fails as well.
                Err(_) => {}
            }
        }
        Ok(found)
    }

    fn value(&self, key: &CStr) -> Result<Value, Error> {
        let mut room = ROOM;
        loop {
            match self.value_within(key, room) {
                Err(error) if error.code() == Some(CsError::InvalidParam) => {
                    let length = self.length(key)?;
                    if length <= room {
                        return Err(error);
                    }
                    room = length;
                }
                other => return other,
            }
        }
    }

    fn value_within(&self, key: &CStr, room: usize) -> Result<Value, Error> {
        let mut bytes = vec![0_u8; room];
        let mut length = room;
        let mut kind: c_uint = 0;
        // SAFETY: all pointers are valid for the call, and `length` says how much may be written.
        let code = unsafe {
            let to = bytes.as_mut_ptr().cast();
            (self.library.get)(self.handle, key.as_ptr(), to, &raw mut length, &raw mut kind)
        };
        check("cmap_get", code)?;
        Ok(Value::decode(kind, &bytes[..length.min(room)]))
    }

    fn length(&self, key: &CStr) -> Result<usize, Error> {
        let mut length = 0;
        // SAFETY: without a place for the value, only its length is told.
        let code = unsafe {
            let nowhere = ptr::null_mut();
            (self.library.get)(self.handle, key.as_ptr(), nowhere, &raw mut length, ptr::null_mut())
        };
        check("cmap_get", code)?;
        Ok(length)
    }
}

impl Drop for Cmap {
    fn drop(&mut self) {
        let _guard = setup();
        // SAFETY: the handle is not used after this.
        unsafe { (self.library.finalize)(self.handle) };
    }
}

impl std::fmt::Debug for Cmap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cmap").field("handle", &self.handle).finish_non_exhaustive()
    }
}

/// The names of the keys with a prefix. The daemon keeps a place for each of these until it is dropped.
struct Keys<'a> {
    cmap: &'a Cmap,
    iterator: Handle,
}

impl<'a> Keys<'a> {
    /// None when the map is empty.
    fn start(cmap: &'a Cmap, prefix: &CStr) -> Result<Option<Self>, Error> {
        let mut iterator = 0;
        // SAFETY: both pointers are valid for the call.
        let code = unsafe { (cmap.library.iter_init)(cmap.handle, prefix.as_ptr(), &raw mut iterator) };
        Ok(some("cmap_iter_init", code, ())?.map(|()| Self { cmap, iterator }))
    }

    fn next(&mut self) -> Result<Option<CString>, Error> {
        // Twice what the header asks for: libcmap copies what the daemon says, unchecked.
        let mut key = [0_u8; 2 * (sys::KEY_LENGTH_MAX + 1)];
        // SAFETY: the buffer is longer than any name, and neither length nor type is wanted.
        let code = unsafe {
            let (handle, to, none) = (self.cmap.handle, key.as_mut_ptr().cast(), ptr::null_mut());
            (self.cmap.library.iter_next)(handle, self.iterator, to, none, ptr::null_mut())
        };
        let name = CStr::from_bytes_until_nul(&key).unwrap_or_default().to_owned();
        some("cmap_iter_next", code, name)
    }
}

impl Drop for Keys<'_> {
    fn drop(&mut self) {
        // SAFETY: the iterator is not used after this.
        unsafe { (self.cmap.library.iter_finalize)(self.cmap.handle, self.iterator) };
    }
}

/// `found`, or none when `code` says that there is nothing (more).
fn some<T>(call: &'static str, code: c_int, found: T) -> Result<Option<T>, Error> {
    match check(call, code) {
        Ok(()) => Ok(Some(found)),
        Err(error) if error.code() == Some(CsError::NoSections) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A key or prefix as C wants it, or none where no key can have this name. A longer one would overrun a buffer of
/// older versions of libcmap.
fn name(key: &str) -> Option<CString> {
    if key.len() > sys::KEY_LENGTH_MAX { None } else { CString::new(key).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_key_can_have_does_not_reach_c() {
        assert_eq!(name("stats.srp.").as_deref(), Some(c"stats.srp."));
        assert_eq!(name("").as_deref(), Some(c""));
        assert_eq!(name("stats\0srp"), None);
        assert!(name(&"k".repeat(255)).is_some());
        assert_eq!(name(&"k".repeat(256)), None);
    }

    #[test]
    fn the_end_of_the_keys_is_no_error() {
        assert_eq!(some("cmap_iter_next", crate::sys::CS_OK, 1), Ok(Some(1)));
        assert_eq!(some("cmap_iter_next", 27, 1), Ok(None));
        let gone = some("cmap_iter_next", 2, 1).unwrap_err();
        assert_eq!(gone.code(), Some(CsError::Library));
    }
}
