import Foundation
import JSON
import Synchronization

/// Chromium without a window. It takes commands of the DevTools protocol over two pipes: JSON texts, each ended by a NUL.
final class Chromium: Sendable {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private struct State: Sendable {
    var nextID = 0
    var waiting: [Int: CheckedContinuation<JSON, any Error>] = [:]
    var handlers: [String: @Sendable (String, JSON) -> Void] = [:]
    var isOver = false
  }

  private let state = Mutex(State())
  private let process: pid_t
  private let input: Int32
  private let output: Int32
  private let profile: URL

  /// The path of the browser on Debian and similar systems; nil when it is not installed.
  static var program: String? {
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// Starts a browser with a profile of its own.
  /// - Parameter switches: more arguments for its command line.
  /// - Throws: `Failure` when no browser is installed: without one the console is not tested.
  init(switches: [String] = []) throws {
    guard let program = Self.program else {
      throw Failure(description: "Chromium is missing: run scripts/install-needs test")
    }
    profile = FileManager.default.temporaryDirectory.appendingPathComponent(
      "chromium-\(ProcessInfo.processInfo.globallyUniqueString)")
    try FileManager.default.createDirectory(at: profile, withIntermediateDirectories: true)
    let (commands, answers) = (try Self.pipe(), try Self.pipe())
    (input, output) = (commands.write, answers.read)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // The browser reads its commands from 3 and answers on 4.
    posix_spawn_file_actions_adddup2(&actions, commands.read, 3)
    posix_spawn_file_actions_adddup2(&actions, answers.write, 4)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    let arguments =
      [
        program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run", "--disable-extensions", "--disable-background-networking", "--hide-scrollbars",
        "--force-device-scale-factor=1", "--lang=en-US", "--user-data-dir=\(profile.path)",
      ] + switches + ["about:blank"]
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var id: pid_t = 0
    let status = posix_spawn(&id, program, &actions, nil, &pointers, environ)
    close(commands.read)
    close(answers.write)
    guard status == 0 else { throw Failure(description: "\(program) can't be started: \(status)") }
    process = id
    let descriptor = output
    // Reading blocks, so it has a thread of its own.
    Thread { [self] in
      var rest: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 1 << 16)
      while case let count = Foundation.read(descriptor, &chunk, chunk.count), count > 0 {
        var start = 0
        for index in 0..<count where chunk[index] == 0 {
          rest += chunk[start..<index]
          take(rest)
          rest.removeAll(keepingCapacity: true)
          start = index + 1
        }
        rest += chunk[start..<count]
      }
      end()
    }.start()
  }

  /// The ends have numbers above 4, because the browser gets 3 and 4.
  private static func pipe() throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    guard Foundation.pipe(&ends) == 0 else { throw Failure(description: "no pipe: \(errno)") }
    let moved = ends.map { end in
      defer { close(end) }
      return fcntl(end, F_DUPFD_CLOEXEC, 10)
    }
    return (moved[0], moved[1])
  }

  /// Sends a command and waits for its answer.
  func send(_ method: String, _ parameters: JSON = [:], session: String? = nil) async throws -> JSON {
    try await withCheckedThrowingContinuation { continuation in
      let id = state.withLock { state -> Int? in
        if state.isOver { return nil }
        state.nextID += 1
        state.waiting[state.nextID] = continuation
        return state.nextID
      }
      guard let id else {
        return continuation.resume(throwing: Failure(description: "The browser has ended"))
      }
      var command: JSONObject = ["id": .number(JSONNumber(id)), "method": .string(method), "params": parameters]
      if let session { command["sessionId"] = .string(session) }
      write(JSON.object(command).bytes() + [0])
    }
  }

  private let writing = Mutex(())

  private func write(_ bytes: [UInt8]) {
    writing.withLock { _ in
      var left = bytes[...]
      while !left.isEmpty {
        let count = left.withUnsafeBytes { Foundation.write(input, $0.baseAddress, $0.count) }
        guard count > 0 else { return }
        left = left.dropFirst(count)
      }
    }
  }

  /// Calls the handler with each event of a session: its method and its parameters.
  func listen(to session: String, _ handler: @escaping @Sendable (String, JSON) -> Void) {
    state.withLock { $0.handlers[session] = handler }
  }

  private func take(_ bytes: [UInt8]) {
    guard let message = try? JSON(parsing: bytes, limits: .stored) else { return }
    if let id = message["id"]?.intValue {
      guard let continuation = state.withLock({ $0.waiting.removeValue(forKey: id) }) else { return }
      if let error = message["error"] {
        continuation.resume(throwing: Failure(description: error.text()))
      } else {
        continuation.resume(returning: message["result"] ?? [:])
      }
    } else if let method = message["method"]?.stringValue, let session = message["sessionId"]?.stringValue {
      state.withLock { $0.handlers[session] }?(method, message["params"] ?? [:])
    }
  }

  private func end() {
    let waiting = state.withLock { state in
      state.isOver = true
      defer { state.waiting = [:] }
      return Array(state.waiting.values)
    }
    for continuation in waiting { continuation.resume(throwing: Failure(description: "The browser has ended")) }
  }

  /// A new page with an empty profile.
  func newPage() async throws -> ChromiumPage {
    let context = try await send("Target.createBrowserContext")["browserContextId"] ?? .null
    let target = try await send("Target.createTarget", ["url": "about:blank", "browserContextId": context])
    let attached = try await send(
      "Target.attachToTarget", ["targetId": target["targetId"] ?? .null, "flatten": true])
    guard let session = attached["sessionId"]?.stringValue else { throw Failure(description: "no session") }
    return try await ChromiumPage(self, session: session)
  }

  /// Ends the browser and removes its profile.
  func quit() async {
    _ = try? await send("Browser.close")
    kill(process, SIGKILL)
    var status: Int32 = 0
    waitpid(process, &status, 0)
    close(input)
    try? FileManager.default.removeItem(at: profile)
  }
}
