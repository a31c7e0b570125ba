import Foundation
import Runtime
import Synchronization

/// A program that runs as a process of its own.
///
/// Foundation's `Process` reads past a buffer when some 1,350 files are open (swift-corelibs-foundation 5472), as they are
/// when many tests run at once. A child gets no file of the tests but its standard input, output and error.
public final class TestProcess: Sendable {
  /// Where an output of the process goes.
  public enum Output: Sendable {
    /// To the tests. When both outputs are read, they are one stream.
    case read
    case discarded
    /// To the same place as the output of the tests.
    case inherited
    /// To the end of a file. A server that the process leaves running keeps no pipe of the tests open then.
    case file(URL)
  }

  public struct Failure: Error, CustomStringConvertible { public let description: String }

  public let id: pid_t
  /// The lines of the outputs that are read, until their end.
  public let lines: AsyncStream<String>
  /// The writing end of standard input. The process may watch it, to end when the tests do.
  private let input: Mutex<Int32?>
  /// False once the process was waited for: its number may belong to another process then.
  private let hasNumber = Mutex(true)
  private let ending = Once<Int32>()

  /// Starts a program.
  /// - Parameters:
  ///   - program: a path, or a name that `PATH` finds.
  ///   - folder: its working folder; nil for that of the tests.
  ///   - variables: are set beside those of the tests.
  ///   - keepsInput: whether standard input stays open until `closeInput`; otherwise it is empty.
  ///   - files: more files of the tests that the process gets, by the number that each has there. The process takes them
  ///     over: they are closed here.
  public convenience init(
    _ program: String, _ arguments: [String] = [], in folder: URL? = nil, variables: [String: String] = [:],
    output: Output = .read, errors: Output = .read, keepsInput: Bool = false, files: [Int32: Int32] = [:]
  ) throws {
    let (lines, lining) = AsyncStream.makeStream(of: String.self)
    let rest = Mutex<[UInt8]>([])
    try self.init(
      program, arguments, in: folder, variables: variables, output: output, errors: errors, keepsInput: keepsInput,
      files: files, lines: lines
    ) { bytes in
      guard let bytes else { return lining.finish() }
      let complete = rest.withLock { rest in
        rest += bytes
        var complete: [String] = []
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
          complete.append(String(decoding: rest[..<end], as: UTF8.self))
          rest.removeFirst(end + 1)
        }
        return complete
      }
      for line in complete { lining.yield(line) }
    }
  }

  /// Runs a program to its end.
  /// - Parameter input: is written to its standard input.
  /// - Returns: its status and the bytes of the outputs that are read. A cancelled task kills the program.
  public static func run(
    _ program: String, _ arguments: [String] = [], in folder: URL? = nil, variables: [String: String] = [:],
    input: [UInt8] = [], output: Output = .read, errors: Output = .read
  ) async throws -> (status: Int32, bytes: [UInt8]) {
    let (chunks, reading) = AsyncStream.makeStream(of: [UInt8].self)
    let process = try TestProcess(
      program, arguments, in: folder, variables: variables, output: output, errors: errors, keepsInput: true,
      files: [:], lines: AsyncStream { $0.finish() }
    ) { bytes in
      if let bytes { reading.yield(bytes) } else { reading.finish() }
    }
    // Writing blocks when the pipe is full, so it has a thread of its own.
    Thread {
      process.write(input)
      process.closeInput()
    }.start()
    let status = await process.status()
    var all: [UInt8] = []
    for await bytes in chunks { all += bytes }
    return (status, all)
  }

  private init(
    _ program: String, _ arguments: [String], in folder: URL?, variables: [String: String], output: Output,
    errors: Output, keepsInput: Bool, files: [Int32: Int32], lines: AsyncStream<String>,
    take: @escaping @Sendable ([UInt8]?) -> Void
  ) throws {
    self.lines = lines
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A group of its own: a Ctrl-C in a terminal reaches the tests alone.
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    // A thread of the pool may block signals. The process would inherit that, and would not end after a SIGTERM.
    var blocked = sigset_t()
    sigemptyset(&blocked)
    posix_spawnattr_setsigmask(&attributes, &blocked)
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    _ = Self.ignoresBrokenPipes

    let reads = try Self.pipe()
    let writes = try Self.pipe()
    defer { for file in [reads.write, writes.read] + files.values { close(file) } }
    if keepsInput {
      posix_spawn_file_actions_adddup2(&actions, writes.read, 0)
    } else {
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    }
    for (number, output) in [(Int32(1), output), (Int32(2), errors)] {
      switch output {
      case .read: posix_spawn_file_actions_adddup2(&actions, reads.write, number)
      case .discarded: posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_WRONLY, 0)
      case .inherited: break
      case .file(let file):
        posix_spawn_file_actions_addopen(&actions, number, file.path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
      }
    }
    for (number, file) in files { posix_spawn_file_actions_adddup2(&actions, file, number) }
    // Glibc hides the action that changes the folder from Swift.
    let inFolder = folder.map { ["/usr/bin/env", "-C", $0.path] } ?? []
    let environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
    var words: [UnsafeMutablePointer<CChar>?] = (inFolder + [program] + arguments).map { strdup($0) } + [nil]
    var settings: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in words + settings { free(pointer) } }
    var id: pid_t = 0
    let status = Self.starting.withLock { _ in
      for number in Self.openFiles() where number > 2 && files[number] == nil {
        posix_spawn_file_actions_addclose(&actions, number)
      }
      return posix_spawnp(&id, inFolder.first ?? program, &actions, &attributes, &words, &settings)
    }
    guard status == 0 else {
      close(reads.read)
      close(writes.write)
      throw Failure(description: "\(program) can't be started: \(String(cString: strerror(status)))")
    }
    self.id = id
    if keepsInput {
      input = Mutex(writes.write)
    } else {
      close(writes.write)
      input = Mutex(nil)
    }
    TestScope.current?.add(self)
    // Reading and waiting block, so they have threads of their own.
    let descriptor = reads.read
    Thread {
      var chunk = [UInt8](repeating: 0, count: 1 << 16)
      while case let count = Foundation.read(descriptor, &chunk, chunk.count), count > 0 {
        take(Array(chunk[..<count]))
      }
      close(descriptor)
      take(nil)
    }.start()
    Thread { [self] in wait() }.start()
  }

  /// A write to a process that has ended fails, instead of ending the tests.
  private static let ignoresBrokenPipes: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

  /// Returns a pipe whose ends have numbers from 10 on, out of the way of the numbers that a process gets. A process gets an
  /// end only if its start names it.
  public static func pipe() throws -> (read: Int32, write: Int32) {
    try starting.withLock { _ in
      var ends: [Int32] = [0, 0]
      guard Foundation.pipe(&ends) == 0 else { throw Failure(description: "no pipe: \(errno)") }
      let moved = ends.map { end in
        defer { close(end) }
        return fcntl(end, F_DUPFD_CLOEXEC, 10)
      }
      return (moved[0], moved[1])
    }
  }

  /// One start at a time, and no pipe meanwhile: a process that starts would get its ends.
  private static let starting = Mutex(())

  private static func openFiles() -> [Int32] {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.compactMap { Int32($0) } ?? []
  }

  private func wait() {
    var information = siginfo_t()
    while waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
    var status: Int32 = 0
    hasNumber.withLock { hasNumber in
      while waitpid(id, &status, 0) < 0, errno == EINTR {}
      hasNumber = false
    }
    closeInput()
    // The lower 7 bits are the signal that ended it, the next 8 its exit status.
    let signal = status & 0x7F
    ending.give(signal == 0 ? (status >> 8) & 0xFF : -signal)
  }

  public var isRunning: Bool { hasNumber.withLock { $0 } }

  /// Sends a signal, unless the process has ended.
  public func send(_ signal: Int32) { hasNumber.withLock { if $0 { _ = kill(id, signal) } } }

  /// Waits for the end. A cancelled task kills the process.
  /// - Returns: the exit status; negative when a signal ended the process.
  @discardableResult
  public func status() async -> Int32 {
    await withTaskCancellationHandler {
      await ending.value()
    } onCancel: {
      send(SIGKILL)
    }
  }

  /// Asks the process to end, with a SIGTERM, and waits for the end.
  /// - Returns: the exit status; negative when a signal ended the process.
  @discardableResult
  public func stop() async -> Int32 {
    send(SIGTERM)
    return await status()
  }

  /// Ends the process with a SIGKILL, and waits for the end.
  public func killNow() async {
    send(SIGKILL)
    await status()
  }

  /// Ends the process and all that it has started with a SIGKILL, and waits for its end.
  public func killGroup() async {
    hasNumber.withLock { if $0 { _ = kill(-id, SIGKILL) } }
    await status()
  }

  /// Stops the process with a SIGSTOP. Returns when every thread of it has stopped.
  public func freeze() async throws {
    send(SIGSTOP)
    try await eventually("process \(id) has stopped", every: .milliseconds(1)) { isFrozen }
  }

  public func thaw() { send(SIGCONT) }

  /// Whether every thread of the process has stopped.
  public var isFrozen: Bool {
    let tasks = "/proc/\(id)/task"
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
    return threads.allSatisfy { thread in
      // The state is the character after the name in brackets.
      let stat = try? String(contentsOfFile: "\(tasks)/\(thread)/stat", encoding: .utf8)
      return stat?.split(separator: ")").last?.first { $0 != " " } ?? "T" == "T"
    }
  }

  /// Writes to standard input.
  public func write(_ bytes: [UInt8]) {
    input.withLock { input in
      guard let input else { return }
      var left = bytes[...]
      while !left.isEmpty {
        let count = left.withUnsafeBytes { Foundation.write(input, $0.baseAddress, $0.count) }
        guard count > 0 else { return }
        left = left.dropFirst(count)
      }
    }
  }

  public func closeInput() {
    input.withLock { input in
      if let descriptor = input.take() { close(descriptor) }
    }
  }
}
