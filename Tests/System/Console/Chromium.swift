import Foundation
import JSON
import Synchronization
import TestSupport

/// Chromium without a window. It takes commands of the DevTools protocol over two pipes: JSON texts, each ended by a NUL.
final class Chromium: Sendable {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private struct State: Sendable {
    var nextID = 0
    var waiting: [Int: CheckedContinuation<JSON, any Error>] = [:]
    var handlers: [String: @Sendable (String, JSON) -> Void] = [:]
    /// Why the browser answers nothing any more.
    var problem: String?
  }

  private let state = Mutex(State())
  private let process: TestProcess
  private let input: Int32

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
    let profile = try TestFolder.new("chromium")
    let (commands, answers) = (try TestProcess.pipe(), try TestProcess.pipe())
    input = commands.write
    let arguments = [
      "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
      "--no-first-run", "--disable-extensions", "--disable-background-networking", "--hide-scrollbars",
      "--force-device-scale-factor=1", "--lang=en-US", "--user-data-dir=\(profile.path)",
    ]
    // The browser reads its commands from 3 and answers on 4.
    process = try TestProcess(
      program, arguments + switches + ["about:blank"], variables: ["TMPDIR": profile.path], output: .discarded,
      errors: .discarded, files: [3: commands.read, 4: answers.write])
    let descriptor = answers.read
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
      close(descriptor)
      end("The browser has ended")
    }.start()
  }

  /// Sends a command and waits for its answer, until the test is cancelled by its time limit.
  func send(_ method: String, _ parameters: JSON = [:], session: String? = nil) async throws -> JSON {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let problem: String? = state.withLock { state in
          if let problem = state.problem { return problem }
          if Task.isCancelled { return "The test was cancelled before \(method)" }
          state.waiting[id] = continuation
          return nil
        }
        if let problem { return continuation.resume(throwing: Failure(description: problem)) }
        var command: JSONObject = ["id": .number(JSONNumber(id)), "method": .string(method), "params": parameters]
        if let session { command["sessionId"] = .string(session) }
        write(JSON.object(command).bytes() + [0])
      }
    } onCancel: {
      let continuation = state.withLock { $0.waiting.removeValue(forKey: id) }
      continuation?.resume(throwing: Failure(description: "The test was cancelled while it waited for \(method)"))
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
    } else if message["method"] == "Inspector.targetCrashed" {
      // The page answers nothing any more.
      end("A page has crashed")
    } else if let method = message["method"]?.stringValue, let session = message["sessionId"]?.stringValue {
      state.withLock { $0.handlers[session] }?(method, message["params"] ?? [:])
    }
  }

  private func end(_ problem: String) {
    let waiting = state.withLock { state in
      state.problem = state.problem ?? problem
      defer { state.waiting = [:] }
      return Array(state.waiting.values)
    }
    for continuation in waiting { continuation.resume(throwing: Failure(description: problem)) }
  }

  /// A new profile, which is empty. Its pages are tabs of one window: only the newest is shown.
  func newProfile() async throws -> JSON {
    try await send("Target.createBrowserContext")["browserContextId"] ?? .null
  }

  /// A new page.
  /// - Parameter profile: the profile that it shares with other pages; nil for one of its own.
  func newPage(in profile: JSON? = nil) async throws -> ChromiumPage {
    var context = profile
    if context == nil { context = try await newProfile() }
    let target = try await send("Target.createTarget", ["url": "about:blank", "browserContextId": context ?? .null])
    let attached = try await send(
      "Target.attachToTarget", ["targetId": target["targetId"] ?? .null, "flatten": true])
    guard let session = attached["sessionId"]?.stringValue else { throw Failure(description: "no session") }
    return try await ChromiumPage(self, session: session, target: target["targetId"] ?? .null)
  }

  /// Ends the browser. Its profile is removed when the test ends.
  func quit() async {
    _ = try? await send("Browser.close")
    await process.killGroup()
    close(input)
  }
}
