//! corosync's client libraries as C sees them: written by hand, found at run time.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::{CsError, Error};

pub(crate) mod cmap;
pub(crate) mod cpg;
pub(crate) mod quorum;

pub(crate) const CS_OK: c_int = 1;

pub(crate) type Handle = u64;

/// The functions of one library. It is never unloaded, so they live as long as the process.
pub(crate) trait Functions: Sized + 'static {
    const SONAME: &'static str;
    /// What to install on Debian and Ubuntu.
    const PACKAGE: &'static str;

    /// Where [`load`] keeps them.
    fn loaded() -> &'static OnceLock<Self>;

    fn find(library: &libloading::Library) -> Result<Self, libloading::Error>;
}

/// Loads the library at the first call; a failure is tried again at the next.
pub(crate) fn load<F: Functions>() -> Result<&'static F, Error> {
    if let Some(functions) = F::loaded().get() {
        return Ok(functions);
    }
    let functions = open().map_err(|error| {
        // The loader's own words are in the source.
        let detail = std::error::Error::source(&error).map(ToString::to_string);
        Error::Library {
            soname: F::SONAME,
            package: F::PACKAGE,
            detail: detail.unwrap_or_else(|| error.to_string()),
        }
    })?;
    Ok(F::loaded().get_or_init(|| functions))
}

fn open<F: Functions>() -> Result<F, libloading::Error> {
    // SAFETY: corosync's libraries have no initialiser beyond those of libqb, which any thread may run.
    let library = unsafe { libloading::Library::new(F::SONAME) }?;
    let functions = F::find(&library)?;
    std::mem::forget(library);
    Ok(functions)
}

/// To be held while a connection is made or closed, which races with itself across threads (seen with CPG: 1 in 200
/// fails). The tables of handles are each library's own, but libqb is below all of them: one lock for all.
pub(crate) fn setup() -> MutexGuard<'static, ()> {
    static SETUP: Mutex<()> = Mutex::new(());
    SETUP.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn check(call: &'static str, code: c_int) -> Result<(), Error> {
    if code == CS_OK { Ok(()) } else { Err(Error::Corosync { call, code: CsError::from_raw(code) }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Missing;

    impl Functions for Missing {
        const SONAME: &'static str = "libmissing.so.9";
        const PACKAGE: &'static str = "libmissing9";

        fn loaded() -> &'static OnceLock<Self> {
            static LIBRARY: OnceLock<Missing> = OnceLock::new();
            &LIBRARY
        }

        fn find(_: &libloading::Library) -> Result<Self, libloading::Error> {
            Ok(Self)
        }
    }

    #[test]
    fn a_missing_library_is_an_error_that_names_it_and_its_package() {
        let text = load::<Missing>().unwrap_err().to_string();
        assert!(text.contains("cannot load libmissing.so.9 ("), "{text}");
        assert!(text.contains("package libmissing9 on Debian") && text.contains("corosynclib"), "{text}");
    }
}
