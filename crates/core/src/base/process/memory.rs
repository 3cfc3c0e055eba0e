//! Gives memory back that only work gone by has needed: what the heap keeps for later, and pages of programs and
//! libraries that start-up has read. The next who needs such a page finds it in the system's page cache.
//!
//! Unsafe code (docs/decisions/0015-memory.md); all else of it in the library is in [`socket`](crate::base::socket).

/// Gives back what can be: a few milliseconds of CPU, and as much later for what is needed again.
pub fn trim_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    linux::trim_heap();
}

/// Has the heap keep little of what it has given out once. To be called at the start of the program.
pub fn be_thrifty() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    linux::be_thrifty();
}

/// Has the heap keep what is freed for the next who needs it, until [`rest`]: while much is needed again and again, pages that go
/// back to the system each time cost more than what is done with them.
pub fn keep_for_work() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    linux::keep_for_work();
}

/// The work is over: the heap is thrifty again, and gives back what can be.
pub fn rest() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    linux::set(linux::OWN_BLOCK, linux::KEPT);
    trim_heap();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
mod linux {
    use std::{ffi::c_void, ptr, slice};

    /// By itself glibc makes eight heaps for each core, and each keeps what its threads have needed at their busiest.
    const HEAPS: libc::c_int = 2;
    /// Larger blocks are the system's, and go back to it at once. By itself glibc raises this to the size of what has been
    /// given back, up to 32 MB. Pictures of usual cameras' second streams are smaller.
    pub(super) const OWN_BLOCK: libc::c_int = 1 << 20;
    /// So much that is free at a heap's end goes back, as by itself.
    pub(super) const KEPT: libc::c_int = 128 << 10;
    /// The same while there is work: the largest that glibc takes.
    const OWN_BLOCK_AT_WORK: libc::c_int = 32 << 20;
    const KEPT_AT_WORK: libc::c_int = 64 << 20;

    pub(in crate::base) fn be_thrifty() {
        // SAFETY: it only sets a number.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, HEAPS) };
        set(OWN_BLOCK, KEPT);
    }

    pub(in crate::base) fn keep_for_work() {
        set(OWN_BLOCK_AT_WORK, KEPT_AT_WORK);
    }

    pub(super) fn set(own_block: libc::c_int, kept: libc::c_int) {
        // SAFETY: both may be called at any time and from any thread, and only set a number.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, own_block);
            libc::mallopt(libc::M_TRIM_THRESHOLD, kept);
        }
    }

    pub(in crate::base) fn trim_heap() {
        // SAFETY: both may be called at any time and from any thread; `let_go` is what `dl_iterate_phdr` asks for, and
        // touches no data.
        unsafe {
            libc::malloc_trim(0);
            libc::dl_iterate_phdr(Some(let_go), ptr::null_mut());
        }
    }

    /// Lets go of the pages of one loaded object that can never have been written.
    unsafe extern "C" fn let_go(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        _data: *mut c_void,
    ) -> libc::c_int {
        // SAFETY: the loader hands out a valid object with its program headers, and holds its lock meanwhile, so that
        // the object stays where it is.
        let (base, headers) = unsafe {
            let info = &*info;
            let count = usize::from(info.dlpi_phnum);
            (info.dlpi_addr, slice::from_raw_parts(info.dlpi_phdr, count))
        };
        let page = rustix::param::page_size();
        for header in headers {
            // Relocations are written to segments that are writable at first, constant ones too.
            let constant = header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0;
            let first = (base + header.p_vaddr) as usize;
            let (start, end) = (
                first.next_multiple_of(page),
                first + header.p_memsz as usize,
            );
            let length = end.saturating_sub(start) / page * page;
            if constant && length > 0 {
                // SAFETY: whole pages of a private mapping of a file that are the same as in the file; they are read
                // again from it.
                unsafe { libc::madvise(start as *mut c_void, length, libc::MADV_DONTNEED) };
            }
        }
        0
    }
}
