import HTTP
import JSON
import Runtime
import Values

/// Plays the people and instruments for whom the sagas of an engine wait: customer, quality assurance, operator, and the
/// instruments that report a result.
///
/// It asks the engine's REST API again and again which sagas wait for their signals, and answers each wait once, after a
/// delay. The key of a signal is made of its wait, so an answer that is sent twice is one signal.
public struct LabPeople: Sendable {
  public struct Configuration: Sendable {
    /// The base address of the engine, without a slash at its end.
    public var engine: String
    /// The key that the engine asks for, which may send signals and speak for others; nil for an engine without keys.
    public var key: String?
    /// A file with the certificate authorities of the engine's certificate, in PEM; nil for those of this machine.
    public var certificateAuthorities: String?
    /// From the first look at a wait to its answer.
    public var delay = Duration.seconds(2)
    /// From one look to the next.
    public var every = Duration.seconds(1)

    public init(engine: String, key: String? = nil, certificateAuthorities: String? = nil) {
      self.engine = engine
      self.key = key
      self.certificateAuthorities = certificateAuthorities
    }
  }

  /// A request to the engine. Returns the status and the JSON of the answer.
  typealias Send = @Sendable (Request) async throws -> (status: Int, body: JSON)

  struct Request: Sendable {
    let method: String
    /// The path and the query, percent-encoded.
    let target: String
    var key: String?
    var sender: String?
    var body: JSON?
  }

  private let configuration: Configuration
  private let faults: ActiveFaults
  private let environment: Environment
  private let log: Log
  private let send: Send

  /// The most sagas that one look takes for each signal, and the most items of each step.
  private static let most = 100

  init(
    _ configuration: Configuration, faults: ActiveFaults, environment: Environment, log: Log, send: @escaping Send
  ) {
    self.configuration = configuration
    self.faults = faults
    self.environment = environment
    self.log = log
    self.send = send
  }

  /// A wait of a step, or of one of its items, that one look has found.
  struct Wait: Sendable, Hashable {
    let answer: PersonalAnswer
    let saga: String
    let step: String
    let item: String?
    let round: Int
    /// Whether the undo of the step waits.
    var isUndo = false

    /// The idempotency key of its signal.
    var key: String { "lab/\(saga)/\(step)\(item.map { "[\($0)]" } ?? "")/\(round)" + (isUndo ? "/undo" : "") }
  }

  /// What a person intends to do about a wait.
  struct Intent: Sendable {
    var at: Timestamp
    var strike: Fault.Kind?
    var isDone = false
    /// The number of answers that the engine refused. Each has a key of its own.
    var refused = 0
  }

  /// Looks again and again until the task is cancelled.
  func run() async throws {
    var intents: [Wait: Intent] = [:]
    var isAway = false
    while true {
      do {
        try await look(&intents)
        isAway = false
      } catch {
        try Task.checkCancellation()
        if !isAway {
          log.warning("Could not ask the engine for its waits; will ask again", ("error", "\(error)"))
        }
        isAway = true
      }
      try await environment.sleep(for: configuration.every)
    }
  }

  /// Finds the waits, and answers those whose time has come.
  func look(_ intents: inout [Wait: Intent]) async throws {
    var seen: Set<Wait> = []
    for answer in PersonalAnswer.allCases {
      let target = "/v1/sagas?waitingFor=\(answer.rawValue)&limit=\(Self.most)"
      let list = try await ask(Request(method: "GET", target: target))
      for summary in list["sagas"]?.arrayValue ?? [] {
        guard let id = summary["id"]?.stringValue.flatMap({ UniqueID($0) })?.description else { continue }
        let shown = try await send(Request(method: "GET", target: "/v1/sagas/\(id)"))
        // The list may be older than the saga's end, after which its partition may be dropped.
        if shown.status == 404 { continue }
        guard shown.status == 200 else { throw Unanswered(status: shown.status) }
        let saga = shown.body
        for wait in try await waits(for: answer, in: saga, id) {
          seen.insert(wait)
          try await act(on: wait, in: saga, &intents)
        }
      }
    }
    // An ended wait is forgotten, so the memory is bounded by what one look finds.
    intents = intents.filter { seen.contains($0.key) }
  }

  private func waits(for answer: PersonalAnswer, in saga: JSON, _ id: String) async throws -> [Wait] {
    var waits: [Wait] = []
    for step in saga["steps"]?.arrayValue ?? [] {
      guard let name = step["id"]?.stringValue else { continue }
      let round = step["round"]?.intValue ?? 1
      if step["undo"]?["waitingFor"]?["signal"]?.stringValue == answer.rawValue {
        waits.append(Wait(answer: answer, saga: id, step: name, item: nil, round: round, isUndo: true))
      }
      guard step["action"]?["signal"]?.stringValue == answer.rawValue else { continue }
      if step["items"] == nil {
        if step["status"] == "waiting", step["waitingFor"]?["kind"] == "signal" {
          waits.append(Wait(answer: answer, saga: id, step: name, item: nil, round: round))
        }
        continue
      }
      let target = "/v1/sagas/\(id)/steps/\(name)/items?status=waiting&limit=\(Self.most)"
      for item in try await ask(Request(method: "GET", target: target))["items"]?.arrayValue ?? [] {
        guard let whole = item["id"]?.stringValue, whole.hasPrefix("\(name)["), whole.hasSuffix("]") else { continue }
        let key = String(whole.dropFirst(name.count + 1).dropLast())
        waits.append(
          Wait(answer: answer, saga: id, step: name, item: key, round: item["round"]?.intValue ?? round))
      }
    }
    return waits
  }

  private func act(on wait: Wait, in saga: JSON, _ intents: inout [Wait: Intent]) async throws {
    var intent = intents[wait] ?? intent(for: wait, in: saga)
    defer { intents[wait] = intent }
    guard !intent.isDone, intent.at <= environment.now() else { return }
    if intent.strike == .timeout {
      intent.isDone = true
      return
    }
    let isRefusal = if case .fail = intent.strike { true } else { false }
    guard let body = wait.answer.body(for: saga, item: wait.item, isRefusal: isRefusal) else { return }
    let request = Request(
      method: "POST", target: "/v1/sagas/\(wait.saga)/signals/\(wait.answer.rawValue)",
      key: intent.refused == 0 ? wait.key : "\(wait.key)/\(intent.refused)", sender: wait.answer.sender, body: body)
    for _ in 0..<(intent.strike == .dropAnswer ? 2 : 1) {
      let reply = try await send(request)
      switch reply.status {
      case 200..<300: intent.isDone = true
      case 400..<500:
        log.warning(
          "The engine refused an answer; will answer again", ("signal", wait.answer.rawValue),
          ("saga", wait.saga), ("code", reply.body["code"]?.stringValue ?? "\(reply.status)"))
        // The next answer is the right one.
        intent.refused += 1
        intent.strike = nil
        intent.at = environment.now() + configuration.delay
        return
      default: throw Unanswered(status: reply.status)
      }
    }
  }

  /// Decides once what becomes of a wait. The fault that applies is counted then.
  private func intent(for wait: Wait, in saga: JSON) -> Intent {
    let texts = [wait.item, saga["key"]?.stringValue, saga["title"]?.stringValue].compactMap(\.self)
    let strike = faults.strike(person: wait.answer.rawValue, texts: texts)
    if strike != nil {
      log.warning("A fault applies to a person", ("signal", wait.answer.rawValue), ("saga", wait.saga))
    }
    var at = environment.now() + configuration.delay
    if case .slow(let more) = strike { at = at + more }
    return Intent(at: at, strike: strike)
  }

  /// The error of an answer that is not the engine's.
  private struct Unanswered: Error, CustomStringConvertible {
    let status: Int
    var description: String { "the engine answered with the status \(status)" }
  }

  private func ask(_ request: Request) async throws -> JSON {
    let reply = try await send(request)
    guard (200..<300).contains(reply.status) else { throw Unanswered(status: reply.status) }
    return reply.body
  }

  /// Sends over HTTP.
  static func over(_ client: HTTPClient, to configuration: Configuration) -> Send {
    { request in
      var headers: HTTPHeaders = ["Accept": "application/json"]
      headers["Authorization"] = configuration.key.map { "Bearer \($0)" }
      if let key = request.key { headers["Idempotency-Key"] = key }
      if let sender = request.sender { headers["Saga-User"] = sender }
      if request.body != nil { headers["Content-Type"] = "application/json" }
      let response = try await client.send(
        HTTPClientRequest(
          method: request.method, url: configuration.engine + request.target, headers: headers,
          body: request.body?.bytes() ?? [],
          timeout: .seconds(30), maxResponseBytes: 64 << 20,
          tls: HTTPClientTLS(certificateAuthorities: configuration.certificateAuthorities)))
      return (response.status, (try? JSON(parsing: response.body)) ?? .null)
    }
  }
}
