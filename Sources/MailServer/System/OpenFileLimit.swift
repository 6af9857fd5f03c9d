#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Raises the soft limit on open files to the hard one: every connection is one. Returns what is in effect.
package func raiseOpenFileLimit() -> UInt64 {
  var limit = rlimit()
  #if canImport(Glibc)
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  #else
    let resource = RLIMIT_NOFILE
  #endif
  guard getrlimit(resource, &limit) == 0 else { return 0 }
  if limit.rlim_cur < limit.rlim_max {
    var raised = limit
    raised.rlim_cur = raised.rlim_max
    if setrlimit(resource, &raised) == 0 { limit = raised }
  }
  return UInt64(limit.rlim_cur)
}
