import Foundation

/// What the system says about this process. A value that the system does not give is nil.
public struct ProcessFigures: Sendable {
  /// The time that processors have spent on the process, in its own code and in the system's.
  public var processorTime: Duration?
  /// The memory that the process has in use, in bytes.
  public var residentBytes: Int64?
  /// The address space of the process, in bytes.
  public var virtualBytes: Int64?
  /// The number of open file descriptors.
  public var openFiles: Int64?
  /// The most file descriptors that the process may open.
  public var mostFiles: Int64?
  /// When the process started, in seconds since 1970.
  public var startedAt: Int64?

  /// Reads the figures now. Linux gives all of them, other systems some.
  public init() {
    var usage = rusage()
    // The constants have another type on each system.
    #if canImport(Glibc)
      let isKnown = getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0
    #else
      let isKnown = getrusage(RUSAGE_SELF, &usage) == 0
    #endif
    if isKnown { processorTime = Self.duration(usage.ru_utime) + Self.duration(usage.ru_stime) }
    var limit = rlimit()
    #if canImport(Glibc)
      let hasLimit = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
    #else
      let hasLimit = getrlimit(RLIMIT_NOFILE, &limit) == 0
    #endif
    if hasLimit { mostFiles = Int64(clamping: limit.rlim_cur) }
    #if os(Linux)
      readProcFiles()
    #endif
  }

  private static func duration(_ time: timeval) -> Duration {
    .seconds(Int64(time.tv_sec)) + .microseconds(Int64(time.tv_usec))
  }

  private mutating func readProcFiles() {
    // The reading itself has a file open, and the list of the folder has an entry for it.
    openFiles = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))
      .map { Int64(max(0, $0.count - 1)) }
    // The program's name is in brackets and may contain spaces.
    guard let stat = Self.text("/proc/self/stat"), let end = stat.lastIndex(of: ")") else { return }
    let words = stat[stat.index(after: end)...].split(separator: " ")
    // Fields 22 to 24 of proc(5): the start in ticks since the system's, the address space, the pages in use.
    guard words.count > 21 else { return }
    virtualBytes = Int64(words[20])
    residentBytes = Int64(words[21]).map { $0 * Int64(sysconf(Int32(_SC_PAGESIZE))) }
    let ticks = Int64(sysconf(Int32(_SC_CLK_TCK)))
    if let start = Int64(words[19]), ticks > 0, let boot = Self.startOfSystem { startedAt = boot + start / ticks }
  }

  private static var startOfSystem: Int64? {
    text("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Int64($0.dropFirst(6)) }
  }

  private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}
