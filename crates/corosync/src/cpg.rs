//! One connection to corosync's CPG service.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{process, ptr, slice};

use crate::sys::cpg::{self as sys, Library};
use crate::sys::{CS_OK, Handle, check, load, setup};
use crate::{Error, GroupName, Member, Reason};

/// A connection to the local corosync. It stays on the thread that made it: libqb's rings cannot be shared.
///
/// Nothing here retries or waits for the group; [`Session`](crate::Session) does. Mind that libcpg's calls are
/// synchronous: all but [`Cpg::multicast`] and [`Cpg::dispatch`] wait for the daemon's answer, and `multicast`
/// burns a core while a stopped daemon has more than about 270 messages unread.
pub struct Cpg {
    library: &'static Library,
    handle: Handle,
    /// Owned; the callbacks find it through the handle's context.
    inbox: *mut Inbox,
    stack_bottom: usize,
    /// A handle belongs to one thread.
    not_send: PhantomData<*const ()>,
}

/// What [`Cpg::dispatch`] found, in the total order of the group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Incoming {
    /// The membership changed.
    Configuration {
        /// Who is in the group now.
        members: Vec<Member>,
        /// Who is new.
        joined: Vec<(Member, Reason)>,
        /// Who is gone.
        left: Vec<(Member, Reason)>,
    },
    /// A member, perhaps this one, sent something.
    Delivered {
        /// The sender.
        from: Member,
        /// What was sent.
        payload: Vec<u8>,
    },
}

type Inbox = RefCell<Vec<Incoming>>;

/// `cpg_dispatch` has a buffer of 1 MiB on its stack, which Debian's build does not probe: a smaller
/// stack is overrun in silence. The rest is for the functions that it calls.
const STACK_NEEDED: usize = 1_536 * 1024;

impl Cpg {
    /// The longest message that corosync takes in one piece, rounded down. Longer ones would be sent in parts by
    /// libcpg, which sleeps between them.
    pub const MESSAGE_LENGTH_MAX: usize = 1_000_000;

    /// Connects to the corosync of this network and IPC namespace. The thread needs a stack of 2 MiB or more.
    ///
    /// # Errors
    /// No library, no daemon, no permission, too small a stack.
    pub fn initialize() -> Result<Self, Error> {
        let library = load::<Library>()?;
        let stack_bottom = sys::stack_bottom().unwrap_or(0);
        check_stack(stack_bottom)?;
        let inbox: *mut Inbox = Box::into_raw(Box::default());
        let mut model = sys::Model {
            model: sys::CPG_MODEL_V1,
            deliver: Some(deliver),
            confchg: Some(confchg),
            ring_confchg: None,
            flags: 0,
        };
        let mut handle = 0;
        let guard = setup();
        // SAFETY: all pointers are valid for the call; libcpg copies the model and keeps `inbox`, which lives
        // until after `finalize`.
        let code = unsafe {
            (library.model_initialize)(&raw mut handle, sys::CPG_MODEL_V1, &raw mut model, inbox.cast())
        };
        drop(guard);
        if let Err(error) = check("cpg_model_initialize", code) {
            // SAFETY: made above, and no handle came to be that could use it.
            drop(unsafe { Box::from_raw(inbox) });
            return Err(error);
        }
        Ok(Self { library, handle, inbox, stack_bottom, not_send: PhantomData })
    }

    /// Joins `group`. The membership that has this process in it comes by [`Cpg::dispatch`].
    ///
    /// # Errors
    /// [`Exist`](crate::CsError::Exist) when a process with the same id is there on this node,
    /// [`TryAgain`](crate::CsError::TryAgain) during a membership change.
    pub fn join(&self, group: &GroupName) -> Result<(), Error> {
        // SAFETY: the name is valid for the call.
        check("cpg_join", unsafe { (self.library.join)(self.handle, &raw const *name(group)) })
    }

    /// Leaves `group`: the others see [`Reason::Leave`].
    ///
    /// # Errors
    /// Not joined, or busy.
    pub fn leave(&self, group: &GroupName) -> Result<(), Error> {
        // SAFETY: the name is valid for the call.
        check("cpg_leave", unsafe { (self.library.leave)(self.handle, &raw const *name(group)) })
    }

    /// The nodeid of the corosync that this process is connected to.
    ///
    /// # Errors
    /// When the connection is gone. Waits as long as a stopped daemon stays stopped.
    pub fn local_nodeid(&self) -> Result<u32, Error> {
        let mut nodeid: c_uint = 0;
        // SAFETY: the pointer is valid for the call.
        check("cpg_local_get", unsafe { (self.library.local_get)(self.handle, &raw mut nodeid) })?;
        Ok(nodeid)
    }

    /// This process as the group's members see it.
    ///
    /// # Errors
    /// As [`Cpg::local_nodeid`].
    pub fn local_member(&self) -> Result<Member, Error> {
        Ok(Member { nodeid: self.local_nodeid()?, pid: process::id() })
    }

    /// Who is in `group`, joined or not.
    ///
    /// # Errors
    /// As [`Cpg::local_nodeid`].
    pub fn membership(&self, group: &GroupName) -> Result<Vec<Member>, Error> {
        let mut members = vec![sys::Address { nodeid: 0, pid: 0, reason: 0 }; sys::MEMBERS_MAX];
        let mut count: c_int = 0;
        let mut name = name(group);
        // SAFETY: the daemon's answer has room for fewer addresses than the list.
        let code = unsafe {
            (self.library.membership_get)(self.handle, &raw mut *name, members.as_mut_ptr(), &raw mut count)
        };
        check("cpg_membership_get", code)?;
        members.truncate(usize::try_from(count).unwrap_or(0));
        Ok(members.into_iter().map(member).collect())
    }

    /// Sends `payload` to every member, this one included.
    ///
    /// `Ok` says that corosync's queue has it, not that it arrives: only its own delivery says so.
    ///
    /// # Errors
    /// [`TryAgain`](crate::CsError::TryAgain) when corosync's queues are full or the membership changes; nothing was
    /// sent then.
    pub fn multicast(&self, payload: &[u8]) -> Result<(), Error> {
        if payload.len() > Self::MESSAGE_LENGTH_MAX {
            return Err(Error::TooLong { length: payload.len(), max: Self::MESSAGE_LENGTH_MAX });
        }
        let part = sys::Iovec { base: payload.as_ptr().cast(), length: payload.len() };
        // SAFETY: one part, valid for the call, only read.
        let code =
            unsafe { (self.library.mcast_joined)(self.handle, sys::CPG_TYPE_AGREED, &raw const part, 1) };
        check("cpg_mcast_joined", code)
    }

    /// Takes what has arrived, at most `budget` of it, without waiting. Fewer than `budget`: nothing is left.
    ///
    /// # Errors
    /// When the connection is gone. What was taken before that is handed over first.
    pub fn dispatch(&self, budget: usize) -> Result<Vec<Incoming>, Error> {
        check_stack(self.stack_bottom)?;
        // SAFETY: the inbox lives as long as `self`, and is borrowed by nobody while a callback runs.
        let inbox = unsafe { &*self.inbox };
        for _ in 0..budget {
            // SAFETY: this thread owns the handle, and has the stack that the call needs.
            let code = unsafe { (self.library.dispatch)(self.handle, sys::CS_DISPATCH_ONE_NONBLOCKING) };
            match check("cpg_dispatch", code) {
                Ok(()) => {}
                Err(error) if error.is_try_again() => break,
                // It says so again at the next call.
                Err(_) if !inbox.borrow().is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(inbox.take())
    }

    /// Readable when there is something to dispatch. Watch for a hang-up as well: it is the sign of a dead
    /// daemon that comes first, and at times the only one.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn fd(&self) -> Result<BorrowedFd<'_>, Error> {
        let mut fd: c_int = -1;
        // SAFETY: the pointer is valid for the call.
        check("cpg_fd_get", unsafe { (self.library.fd_get)(self.handle, &raw mut fd) })?;
        if fd < 0 {
            return Err(Error::Closed);
        }
        // SAFETY: libcpg owns the descriptor and keeps it open until `finalize`, which needs `self` by value.
        Ok(unsafe { BorrowedFd::borrow_raw(fd) })
    }
}

impl Drop for Cpg {
    fn drop(&mut self) {
        let _guard = setup();
        // SAFETY: the handle is not used after this, and so no callback runs that would need the inbox.
        unsafe {
            (self.library.finalize)(self.handle);
            drop(Box::from_raw(self.inbox));
        }
    }
}

impl std::fmt::Debug for Cpg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cpg").field("handle", &self.handle).finish_non_exhaustive()
    }
}

unsafe extern "C" fn deliver(
    handle: Handle,
    _group: *const sys::Name,
    nodeid: u32,
    pid: u32,
    message: *mut c_void,
    length: usize,
) {
    // SAFETY: libcpg gives `length` bytes that stay valid during the callback.
    let payload = unsafe { copied(message.cast_const().cast::<u8>(), length) };
    store(handle, || Incoming::Delivered { from: Member { nodeid, pid }, payload });
}

#[allow(clippy::too_many_arguments, reason = "libcpg's signature")]
unsafe extern "C" fn confchg(
    handle: Handle,
    _group: *const sys::Name,
    members: *const sys::Address,
    members_count: usize,
    left: *const sys::Address,
    left_count: usize,
    joined: *const sys::Address,
    joined_count: usize,
) {
    // SAFETY: libcpg gives three lists with these lengths that stay valid during the callback.
    let (members, left, joined) =
        unsafe { (copied(members, members_count), copied(left, left_count), copied(joined, joined_count)) };
    store(handle, || Incoming::Configuration {
        members: members.into_iter().map(member).collect(),
        joined: joined.into_iter().map(with_reason).collect(),
        left: left.into_iter().map(with_reason).collect(),
    });
}

/// Puts a value into the inbox of `handle`. A panic must not cross into C.
fn store(handle: Handle, incoming: impl FnOnce() -> Incoming) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let Ok(library) = load::<Library>() else { return };
        let mut inbox: *mut c_void = ptr::null_mut();
        // SAFETY: the pointer is valid for the call.
        let code = unsafe { (library.context_get)(handle, &raw mut inbox) };
        if code != CS_OK || inbox.is_null() {
            return;
        }
        // SAFETY: the context of each handle is the inbox that `initialize` gave it; `dispatch`, in which this
        // runs, does not borrow it meanwhile.
        let inbox = unsafe { &*inbox.cast::<Inbox>() };
        inbox.borrow_mut().push(incoming());
    }));
}

/// # Safety
/// `first` points at `count` readable values, or `count` is 0.
unsafe fn copied<T: Copy>(first: *const T, count: usize) -> Vec<T> {
    if count == 0 || first.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(first, count) }.to_vec()
}

fn member(address: sys::Address) -> Member {
    Member { nodeid: address.nodeid, pid: address.pid }
}

fn with_reason(address: sys::Address) -> (Member, Reason) {
    (member(address), Reason::from_raw(address.reason))
}

fn name(group: &GroupName) -> Box<sys::Name> {
    let bytes = group.as_bytes();
    let mut name = sys::Name { length: 0, value: [0; sys::NAME_LENGTH_MAX] };
    for (to, from) in name.value.iter_mut().zip(bytes) {
        *to = *from as c_char;
    }
    name.length = u32::try_from(bytes.len()).unwrap_or(0);
    Box::new(name)
}

fn check_stack(bottom: usize) -> Result<(), Error> {
    let here = Cell::new(0_u8);
    let left = (here.as_ptr() as usize).saturating_sub(bottom);
    if left < STACK_NEEDED { Err(Error::StackTooSmall { left, needed: STACK_NEEDED }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_stack_is_refused_before_libcpg_overruns_it() {
        let on_stack = |bytes: usize| {
            std::thread::Builder::new()
                .stack_size(bytes)
                .spawn(|| check_stack(sys::stack_bottom().unwrap()))
                .unwrap()
                .join()
                .unwrap()
        };
        // glibc may hand a thread the stack of one that has ended, up to four times as large as it asks for.
        let small = STACK_NEEDED / 8;
        assert!(matches!(on_stack(small), Err(Error::StackTooSmall { .. })));
        assert!(on_stack(4 * 1024 * 1024).is_ok());
    }

    #[test]
    fn a_name_goes_to_c_with_its_length_and_zeroes_behind() {
        let name = name(&"asterisk".parse().unwrap());
        assert_eq!(name.length, 8);
        assert!(name.value[..8].iter().zip(b"asterisk").all(|(to, from)| *to as u8 == *from));
        assert!(name.value[8..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn addresses_become_members_with_reasons() {
        let address = sys::Address { nodeid: 21, pid: 1, reason: 5 };
        assert_eq!(with_reason(address), (Member { nodeid: 21, pid: 1 }, Reason::ProcessDown));
    }

    #[test]
    fn an_empty_list_may_come_with_any_pointer() {
        // SAFETY: a count of zero.
        assert!(unsafe { copied::<u8>(ptr::null(), 0) }.is_empty());
    }
}
