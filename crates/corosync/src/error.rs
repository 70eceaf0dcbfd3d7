//! What can go wrong, and what to do about it.

use crate::GroupNameError;

/// Why something did not work. The text says what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A client library of corosync is not there or not usable.
    #[error(
        "cannot load {soname} ({detail}); install corosync's client library: \
         package {package} on Debian and Ubuntu, corosynclib on Fedora and RHEL"
    )]
    Library {
        /// The library's file.
        soname: &'static str,
        /// The package that has it on Debian and Ubuntu.
        package: &'static str,
        /// What the loader says.
        detail: String,
    },
    /// A call to corosync's library failed.
    #[error("{call}: {code}{}", hint(call, *code))]
    Corosync {
        /// The function that failed.
        call: &'static str,
        /// What it returned.
        code: CsError,
    },
    /// corosync closed the connection: it ended, or threw this client out.
    #[error("corosync closed the connection; is it still running?")]
    Closed,
    /// corosync says that this process is not in the group, although it joined and did not leave.
    #[error("corosync no longer counts this process as a member of the group")]
    NotMember,
    /// The thread's stack is too small for libcpg, which wants more than 1 MiB of it in one call.
    #[error("the thread has {left} bytes of stack left, libcpg needs {needed}; give it 4 MiB")]
    StackTooSmall {
        /// What is left of it, in bytes.
        left: usize,
        /// What is needed, in bytes.
        needed: usize,
    },
    /// The message is longer than what corosync delivers in one piece.
    #[error("a message has at most {max} bytes, this one has {length}")]
    TooLong {
        /// Bytes of the message.
        length: usize,
        /// Bytes that are allowed.
        max: usize,
    },
    /// The group's name is not legal.
    #[error(transparent)]
    GroupName(#[from] GroupNameError),
}

impl Error {
    /// True when corosync is only busy, and the same call may succeed in some milliseconds.
    #[must_use]
    pub fn is_try_again(&self) -> bool {
        self.code() == Some(CsError::TryAgain)
    }

    /// True when the connection is gone, so that only a new one helps.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Closed | Self::NotMember)
            || matches!(self.code(), Some(CsError::Library | CsError::BadHandle))
    }

    /// The code that corosync returned, if it came to that.
    #[must_use]
    pub fn code(&self) -> Option<CsError> {
        if let Self::Corosync { code, .. } = self { Some(*code) } else { None }
    }
}

/// The codes of corosync's libraries (`cs_error_t`), without `CS_OK`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the text of each is its documentation")]
pub enum CsError {
    #[error("corosync's library failed (CS_ERR_LIBRARY)")]
    Library,
    #[error("corosync speaks another version (CS_ERR_VERSION)")]
    Version,
    #[error("corosync is not initialised (CS_ERR_INIT)")]
    Init,
    #[error("timed out (CS_ERR_TIMEOUT)")]
    Timeout,
    #[error("corosync is busy, try again (CS_ERR_TRY_AGAIN)")]
    TryAgain,
    #[error("invalid parameter (CS_ERR_INVALID_PARAM)")]
    InvalidParam,
    #[error("out of memory (CS_ERR_NO_MEMORY)")]
    NoMemory,
    #[error("the handle is not valid any more (CS_ERR_BAD_HANDLE)")]
    BadHandle,
    #[error("busy (CS_ERR_BUSY)")]
    Busy,
    #[error("corosync refuses this process (CS_ERR_ACCESS)")]
    Access,
    #[error("does not exist (CS_ERR_NOT_EXIST)")]
    NotExist,
    #[error("the name is too long (CS_ERR_NAME_TOO_LONG)")]
    NameTooLong,
    #[error("exists already (CS_ERR_EXIST)")]
    Exist,
    #[error("no space left (CS_ERR_NO_SPACE)")]
    NoSpace,
    #[error("interrupted (CS_ERR_INTERRUPT)")]
    Interrupt,
    #[error("the name was not found (CS_ERR_NAME_NOT_FOUND)")]
    NameNotFound,
    #[error("out of resources (CS_ERR_NO_RESOURCES)")]
    NoResources,
    #[error("not supported (CS_ERR_NOT_SUPPORTED)")]
    NotSupported,
    #[error("bad operation (CS_ERR_BAD_OPERATION)")]
    BadOperation,
    #[error("the operation failed (CS_ERR_FAILED_OPERATION)")]
    FailedOperation,
    #[error("message error (CS_ERR_MESSAGE_ERROR)")]
    MessageError,
    #[error("the queue is full (CS_ERR_QUEUE_FULL)")]
    QueueFull,
    #[error("the queue is not available (CS_ERR_QUEUE_NOT_AVAILABLE)")]
    QueueNotAvailable,
    #[error("bad flags (CS_ERR_BAD_FLAGS)")]
    BadFlags,
    #[error("too big (CS_ERR_TOO_BIG)")]
    TooBig,
    #[error("no sections (CS_ERR_NO_SECTIONS)")]
    NoSections,
    #[error("the context was not found (CS_ERR_CONTEXT_NOT_FOUND)")]
    ContextNotFound,
    #[error("too many groups (CS_ERR_TOO_MANY_GROUPS)")]
    TooManyGroups,
    #[error("security error (CS_ERR_SECURITY)")]
    Security,
    #[error("error {0} of corosync, unknown to this program")]
    Other(i32),
}

/// The numbers of `corotypes.h`.
const CODES: [(i32, CsError); 29] = [
    (2, CsError::Library),
    (3, CsError::Version),
    (4, CsError::Init),
    (5, CsError::Timeout),
    (6, CsError::TryAgain),
    (7, CsError::InvalidParam),
    (8, CsError::NoMemory),
    (9, CsError::BadHandle),
    (10, CsError::Busy),
    (11, CsError::Access),
    (12, CsError::NotExist),
    (13, CsError::NameTooLong),
    (14, CsError::Exist),
    (15, CsError::NoSpace),
    (16, CsError::Interrupt),
    (17, CsError::NameNotFound),
    (18, CsError::NoResources),
    (19, CsError::NotSupported),
    (20, CsError::BadOperation),
    (21, CsError::FailedOperation),
    (22, CsError::MessageError),
    (23, CsError::QueueFull),
    (24, CsError::QueueNotAvailable),
    (25, CsError::BadFlags),
    (26, CsError::TooBig),
    (27, CsError::NoSections),
    (28, CsError::ContextNotFound),
    (30, CsError::TooManyGroups),
    (100, CsError::Security),
];

impl CsError {
    pub(crate) fn from_raw(raw: i32) -> Self {
        CODES.iter().find(|(number, _)| *number == raw).map_or(Self::Other(raw), |(_, code)| *code)
    }
}

/// What to do about `code` from `call`; empty where there is nothing to advise.
fn hint(call: &str, code: CsError) -> String {
    let hint = match (code, call) {
        (CsError::Access, _) => {
            let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            return access_hint(uid, gid);
        }
        (CsError::Library | CsError::NotExist, call) if call.contains("_initialize") => {
            "; is corosync running here? In a container, share the network and the IPC namespace with it"
        }
        (CsError::Library | CsError::BadHandle, _) => {
            "; the connection is gone: did corosync end or restart?"
        }
        (CsError::Exist, "cpg_join") => {
            "; another process with this process id is in the group already: two containers that share \
             one corosync must share the pid namespace too, or each have a corosync of its own"
        }
        _ => "",
    };
    hint.to_owned()
}

fn access_hint(uid: u32, gid: u32) -> String {
    format!(
        "; it runs as uid {uid}, gid {gid}: as root, write the lines `uidgid {{`, `uid: {uid}`, `gid: {gid}`, \
         `}}` into a file such as /etc/corosync/uidgid.d/uid-{uid} and run `corosync-cfgtool -R`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(call: &'static str, code: CsError) -> String {
        Error::Corosync { call, code }.to_string()
    }

    #[test]
    fn an_access_error_says_which_file_to_write_with_which_lines() {
        let hint = access_hint(110, 117);
        assert!(hint.contains("/etc/corosync/uidgid.d/uid-110"), "{hint}");
        assert!(hint.contains("`uid: 110`") && hint.contains("`gid: 117`"), "{hint}");
        let text = text("cpg_model_initialize", CsError::Access);
        assert!(text.starts_with("cpg_model_initialize: corosync refuses this process"), "{text}");
        assert!(text.contains(&rustix::process::geteuid().as_raw().to_string()), "{text}");
    }

    #[test]
    fn a_missing_daemon_asks_whether_it_runs() {
        for call in ["cpg_model_initialize", "quorum_initialize", "cmap_initialize_map"] {
            assert!(text(call, CsError::Library).contains("is corosync running here?"));
        }
        for call in ["cpg_dispatch", "quorum_getquorate", "cmap_get"] {
            assert!(text(call, CsError::Library).contains("did corosync end or restart?"));
        }
    }

    #[test]
    fn a_colliding_process_id_is_explained() {
        assert!(text("cpg_join", CsError::Exist).contains("pid namespace"));
    }

    #[test]
    fn codes_come_back_from_their_numbers_and_others_are_kept() {
        assert_eq!(CsError::from_raw(6), CsError::TryAgain);
        assert_eq!(CsError::from_raw(100), CsError::Security);
        assert_eq!(CsError::from_raw(29), CsError::Other(29));
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0), "sorted, so no number is there twice");
    }

    #[test]
    fn only_a_gone_connection_counts_as_disconnected() {
        for code in [CsError::Library, CsError::BadHandle] {
            assert!(Error::Corosync { call: "cpg_dispatch", code }.is_disconnected());
        }
        assert!(Error::Closed.is_disconnected());
        assert!(!Error::Corosync { call: "cpg_mcast_joined", code: CsError::TryAgain }.is_disconnected());
    }
}
