import HTTP
import JSON
public import Runtime
import Values

/// The laboratory's participants as workers: they take tasks from the queues of an engine, and carry out each as a command.
///
/// Each service has a queue, `laboratory.SERVICE`. The input of a task is an object. Its member `command` names the
/// command, and the others are the body of the same command over Kafka.
public final class LabTasks: Sendable {
  /// The engine, and how the laboratory asks it.
  public struct Configuration: Sendable, Hashable {
    /// `http://HOST:PORT` or `https://HOST:PORT`, without a slash at the end.
    public var engine: String
    /// The key with the role `worker` that the engine asks for; nil for an engine without keys.
    public var key: String?
    /// A file with the certificate authorities of the engine's certificate, in PEM; nil for those of this machine.
    public var certificateAuthorities: String?
    /// The most tasks that each service has at a time, 1 or more.
    public var atOnce = 8
    /// How long a poll waits for a task.
    public var wait = Duration.seconds(20)
    /// The pauses after a poll, or an answer, that failed.
    public var backoff = Backoff(first: .milliseconds(200), limit: .seconds(5))

    public init(engine: String, key: String? = nil, certificateAuthorities: String? = nil) {
      self.engine = engine
      self.key = key
      self.certificateAuthorities = certificateAuthorities
    }
  }

  /// The queue of a service.
  static func queue(of service: LabService) -> String { "laboratory.\(service.rawValue)" }

  private let configuration: Configuration
  private let participants: Participants
  private let environment: Environment
  private let log: Log
  private let client = HTTPClient()

  /// - Parameters:
  ///   - configuration: the engine.
  ///   - participants: carry out the commands. The caller closes them.
  ///   - environment: time and randomness.
  ///   - log: receives warnings and errors.
  public init(
    _ configuration: Configuration, participants: Participants, environment: Environment, log: Log = .silent
  ) {
    self.configuration = configuration
    self.participants = participants
    self.environment = environment
    self.log = log
  }

  /// Works until the task is cancelled. It waits for an engine that does not answer. To be called once.
  public func run() async {
    await withDiscardingTaskGroup { group in
      for service in LabService.allCases { group.addTask { await self.work(for: service) } }
    }
    await client.shutdown()
  }

  private func work(for service: LabService) async {
    let places = AsyncSemaphore(permits: configuration.atOnce)
    await withDiscardingTaskGroup { group in
      var failures = 0
      while !Task.isCancelled, await places.acquire() {
        do {
          let tasks = try await poll(service)
          failures = 0
          // A poll asks for one task at most.
          guard let task = tasks.first else {
            places.release()
            continue
          }
          group.addTask {
            await self.carryOut(task, for: service)
            places.release()
          }
        } catch {
          places.release()
          failures += 1
          if failures == 1, !Task.isCancelled {
            log.warning(
              "The engine gives out no tasks; the laboratory asks again", ("queue", Self.queue(of: service)),
              ("error", "\(error)"))
          }
          await pause(after: failures)
        }
      }
    }
  }

  private func pause(after failures: Int) async {
    // A cancelled pause ends at once, and so does the loop around it.
    try? await environment.sleep(for: configuration.backoff.pause(after: failures, jitter: environment.random()))
  }

  // MARK: Calls

  private struct Unanswered: Error, CustomStringConvertible {
    let description: String
  }

  private func post(_ path: String, _ body: JSON, timeout: Duration = .seconds(30)) async throws -> HTTPClientResponse {
    var headers: HTTPHeaders = ["Content-Type": "application/json"]
    headers["Authorization"] = configuration.key.map { "Bearer \($0)" }
    return try await client.send(
      HTTPClientRequest(
        method: "POST", url: configuration.engine + path, headers: headers, body: body.bytes(), timeout: timeout,
        tls: HTTPClientTLS(certificateAuthorities: configuration.certificateAuthorities)))
  }

  private func poll(_ service: LabService) async throws -> [LabTask] {
    let response = try await post(
      "/v1/tasks/\(Self.queue(of: service))/poll",
      ["worker": "saga-lab", "max": 1, "wait": .string("\(configuration.wait.components.seconds)s")],
      timeout: configuration.wait + .seconds(20))
    guard response.status == 200, let tasks = (try? JSON(parsing: response.body))?["tasks"]?.arrayValue else {
      throw Unanswered(description: "POST \(configuration.engine) answered \(response.status)")
    }
    return try tasks.map { json in
      guard let task = LabTask(json) else { throw Unanswered(description: "The engine sent a task that can't be read") }
      return task
    }
  }

  // MARK: One task

  private func carryOut(_ task: LabTask, for service: LabService) async {
    await withTaskGroup(of: Void.self) { group in
      let work = Task { await self.reply(to: task, for: service) }
      group.addTask { await self.keep(task, orCancel: work) }
      // A fault that withholds the answer is a worker that died: its heartbeats end too.
      if let reply = await withTaskCancellationHandler(operation: { await work.value }, onCancel: { work.cancel() }) {
        await answer(task, reply)
      }
      group.cancelAll()
    }
  }

  /// - Returns: nil when the worker answers nothing: a fault says so, the task is lost, or the laboratory stops.
  private func reply(to task: LabTask, for service: LabService) async -> CommandReply? {
    guard let input = task.input.objectValue, let name = input["command"]?.stringValue else {
      return .failed(
        code: LabErrorCode.invalid, message: "The input of a task is an object whose member “command” names a command.")
    }
    var body = input
    body["command"] = nil
    let named = NamedCommand(
      service: service, name: name, key: task.key, compensates: task.compensates, sagaID: task.saga, body: body)
    var failures = 0
    while !Task.isCancelled {
      do {
        return try await participants.carryOut(try participants.command(named), named, log: log)
      } catch let refusal as LabRefusal {
        return CommandReply(refusal)
      } catch {
        // The store does not answer. The same command is decided again.
        failures += 1
        await pause(after: failures)
      }
    }
    return nil
  }

  /// Sends heartbeats until it is cancelled, and cancels the work of a task that is lost.
  private func keep(_ task: LabTask, orCancel work: Task<CommandReply?, Never>) async {
    while true {
      do {
        try await environment.sleep(for: task.heartbeatTimeout / 3)
        let response = try await post("/v1/tasks/\(task.id)/heartbeat", ["lease": .string(task.lease)])
        // A command can't be stopped in its middle, so `cancelled` changes nothing: its answer says what was done.
        if response.status == 409 { return work.cancel() }
      } catch is CancellationError {
        return
      } catch {
        // The next heartbeat may come through.
        if Task.isCancelled { return }
      }
    }
  }

  /// Answers a task until the engine has the answer, or does not want it any more.
  private func answer(_ task: LabTask, _ reply: CommandReply) async {
    let (word, body) = task.answer(reply)
    var failures = 0
    while !Task.isCancelled {
      do {
        let response = try await post("/v1/tasks/\(task.id)/\(word)", body)
        if response.status < 500, response.status != 408, response.status != 429 {
          if response.status >= 400 {
            log.warning(
              "The engine does not take the answer to a task", ("task", task.id), ("status", "\(response.status)"))
          }
          return
        }
      } catch {
        // The same answer again is harmless.
      }
      failures += 1
      await pause(after: failures)
    }
  }
}

/// A task that the laboratory has taken.
struct LabTask: Sendable {
  let id: String
  let lease: String
  let saga: String
  let key: String
  let compensates: String?
  let isUndo: Bool
  let input: JSON
  let heartbeatTimeout: Duration

  /// - Returns: nil for a task in a form that the laboratory does not know.
  init?(_ json: JSON) {
    guard let id = json["id"]?.stringValue, let lease = json["lease"]?.stringValue,
      let saga = json["saga"]?.stringValue, let key = json["key"]?.stringValue, let phase = json["phase"]?.stringValue,
      let timeout = json["heartbeatTimeoutMs"]?.intValue, timeout > 0
    else { return nil }
    self.id = id
    self.lease = lease
    self.saga = saga
    self.key = key
    compensates = json["compensates"]?.stringValue
    isUndo = phase == "undo"
    input = json["input"] ?? .null
    heartbeatTimeout = .milliseconds(timeout)
  }

  /// Returns the last part of the path, and the body, of an answer.
  func answer(_ reply: CommandReply) -> (word: String, body: JSON) {
    func failure(_ code: String, _ message: String, retryable: Bool, nothingHappened: Bool) -> (String, JSON) {
      (
        "fail",
        [
          "lease": .string(lease), "code": .string(code), "message": .string(message), "retryable": .bool(retryable),
          "nothingHappened": .bool(nothingHappened),
        ]
      )
    }
    switch reply {
    case .succeeded(let output): return ("complete", ["lease": .string(lease), "output": output])
    // An undo that finds nothing to undo is done.
    case .failed(_, _, _, gone: true) where isUndo: return ("complete", ["lease": .string(lease), "output": .null])
    case .failed(let code, let message, let retryable, _):
      return failure(code, message, retryable: retryable, nothingHappened: true)
    case .unknown(let code, let message): return failure(code, message, retryable: true, nothingHappened: false)
    }
  }
}
