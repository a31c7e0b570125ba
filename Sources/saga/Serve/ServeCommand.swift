import CSystem
import Foundation
import HTTP
import HTTPSteps
import KafkaGateway
import Notifications
import Persistence
import Runtime
import SagaCore
import Server
import Values
import WorkflowEngine
import Workflows

let serveCommand = CommandSpec(
  "serve", summary: "run the engine and its REST API",
  about: [
    "Opens the store, takes up every saga that was open, registers the workflows of the folder, and serves. Without "
      + "settings it keeps everything in one SQLite file, .saga/engine.db, and knows the services of `saga lab` at "
      + "its usual address.",
    "SIGTERM and Ctrl-C stop it with care: what is in flight may settle first. A second one stops it at once; nothing "
      + "that was recorded is lost either way.",
  ],
  options: [
    OptionSpec("store", value: "STORE", help: "sqlite:PATH, postgres:URL, or memory"),
    OptionSpec(
      "read-store", value: "STORE",
      help: "where lists are read from: sqlite:PATH, postgres:URL, or memory; beside the store"),
  ] + ListenOptions.all(port: 8080) + CertificateOptions.all + [
    OptionSpec(
      "keys", value: "FILE",
      help: "ask every caller for one of the keys in this file; see `saga key create`. Without it, callers on this "
        + "machine need none"),
    OptionSpec(
      "oidc", value: "FILE",
      help: "take the tokens of an OpenID provider, beside the keys or alone: issuer, audience, roles; see "
        + "docs/security.md"),
    OptionSpec(
      "seal-keys", value: "FILE",
      help: "the keys that seal the fields which workflows mark as sensitive; see `saga seal-key create`"),
    OptionSpec(
      "service", value: "NAME=URL", repeats: true,
      help: "a service that workflows may call; with ,tombstones behind it when an undo that comes first makes the "
        + "late command refuse"),
    OptionSpec("services", value: "FILE", help: "the same as a JSON file, with headers, tokens, limits and TLS"),
    OptionSpec(
      "requires-approval", value: "VERBS", words: OperatorVerb.Name.allCases.map(\.rawValue),
      help: "verbs that wait until a second person agrees, as abandon,resolve; see `saga ops approve`"),
    OptionSpec(
      "drafts", help: "let people register and start drafts of workflows; not for an engine that does real work"),
    OptionSpec("workflows", value: "DIR", help: "workflows to register at the start; workflows/ if there is one"),
    OptionSpec(
      "no-learned-overdue", help: "call a step overdue only by what its workflow expects, not by what it took before"),
    OptionSpec(
      "take-up-held", help: "take up sagas again that were held back because the engine died of them; see saga.held"),
    .stopWithInput,
  ] + LogOptions.all(usual: .warning) + NoticeOptions.all + KafkaOptions.engine,
  examples: [
    .init(says: "For trying out, beside `saga lab`", line: "saga serve"),
    .init(
      says: "A service of one's own, and Kafka",
      line: "saga serve --service freezer=http://freezer.lab:9000 --kafka broker:9092"),
    .init(
      says: "In earnest",
      line: "saga serve --store postgres://saga@db/saga --services services.json"),
  ]
) { try await EngineProcess($0).run() }

/// An engine with its API, from its settings to its last answer.
struct EngineProcess {
  private let terminal: Terminal
  private let environment: Runtime.Environment
  private let location: StoreLocation
  private let readLocation: StoreLocation
  private let http: HTTPServerConfiguration
  /// Nil when callers need no key.
  private let keys: KeyFile?
  /// Nil when no OpenID provider knows the callers.
  private let openID: OIDCSettings?
  /// Nil when no workflow with sensitive fields can be started.
  private let sealKeys: SealKeys?
  private let services: [ServiceEntry]
  private let kafka: KafkaSettings?
  private let notices: NoticeSettings
  private let approvals: Set<OperatorVerb.Name>
  private let folder: WorkflowFolder
  private let log: Log
  private let stopsWithInput: Bool
  private let learnsExpectations: Bool
  private let takesUpHeld: Bool
  private let allowsDrafts: Bool
  /// Makes the process die when a certain saga is computed, for drills and tests.
  private let drill: (@Sendable (UniqueID) -> Void)?
  /// By how much each write to the lists takes longer, for drills and tests; nil for none.
  private let listPause: Duration?

  /// The time for answers to requests under way after a request to stop the process.
  private static let drainTime = Duration.seconds(10)

  init(_ invocation: Invocation) throws {
    terminal = invocation.terminal
    environment = invocation.environment
    location = try invocation.store(else: .sqlite(path: ".saga/engine.db"))
    readLocation = try invocation.readStore() ?? location.besideIt
    let keyPath = invocation.arguments.value("keys")
    let openIDPath = invocation.arguments.value("oidc")
    var http = try invocation.listening(port: 8080, asksWhoCalls: keyPath != nil || openIDPath != nil)
    http.certificate = try invocation.certificate()
    self.http = http
    // A store in memory is never at rest, so keys that end with the process are enough.
    sealKeys =
      try invocation.arguments.value("seal-keys").map { try SealKeyFile(path: $0).read() }
      ?? (location == .memory ? SealKeys(invocation.environment) : nil)
    let named = try invocation.services()
    let isConfigured = invocation.arguments.value("services") != nil || !named.isEmpty
    services = isConfigured ? named : LabAddress.services(at: LabAddress.usual)
    kafka = try invocation.kafka()
    notices = try invocation.notices()
    approvals = try invocation.approvals()
    folder = try WorkflowFolder(invocation)
    let log = try invocation.log(usual: .warning)
    self.log = log
    keys = try keyPath.map { path throws(AccessRefusal) in try KeyFile(path: path, log: log) }
    openID = try openIDPath.map { path throws(AccessRefusal) in
      try OIDCSettings(path: path, variables: invocation.variables)
    }
    // A token with fewer claims would make a second person of one.
    if let openID, openID.personClaim == nil, !approvals.isEmpty {
      throw CLIError(
        CLIErrorCode.configurationInvalid,
        "--requires-approval tells two people apart by their names, and the file of --oidc does not say which claim has "
          + "the name",
        advice: ["Add \"person\": \"CLAIM\" with a claim that a person can't change."])
    }
    stopsWithInput = invocation.arguments.has("stop-with-input")
    learnsExpectations = !invocation.arguments.has("no-learned-overdue")
    takesUpHeld = invocation.arguments.has("take-up-held")
    allowsDrafts = invocation.arguments.has("drafts")
    listPause = invocation.variables[Drill.slowLists].flatMap { Int($0) }.map { .milliseconds($0) }
    drill = invocation.variables[Drill.variable].flatMap { UniqueID($0) }.map { Drill.dying(of: $0) }
  }

  func run() async throws -> ExitStatus {
    // 1. From here on a signal is a request to stop, and does not end the process.
    let shutdown = Shutdown.listening(on: terminal, withInput: stopsWithInput)
    if let certificate = http.certificate {
      CertificateReload(certificate: certificate, terminal: terminal, environment: environment, log: log).listen()
    }
    var store = try await location.open(environment, log: log)
    var port = http.port
    var isFirst = true
    while true {
      do {
        let end = try await serveOnce(store, port: &port, isFirst: isFirst, until: shutdown)
        // A process that lost its store discards its state. It begins as at its start, and waits until the store is free.
        guard end == .takenOver, !shutdown.isAsked else { return .success }
      } catch let error as StoreError where !isFirst && error.kind == .unavailable {
        log.error("Could not read the store; will retry", ("error", error.description))
      }
      shutdown.waitAgain()
      guard let again = await reopened(until: shutdown) else { return .success }
      store = again
      isFirst = false
    }
  }

  private enum End { case asked, takenOver }

  /// The time between two tries of a process that lost its store to own it again.
  private static let askAgain = Duration.seconds(3)

  /// Opens the store again as soon as possible. Returns nil when a request to stop the process comes first.
  private func reopened(until shutdown: Shutdown) async -> (any EventStore)? {
    var nextWord = environment.now()
    while !shutdown.isAsked {
      do {
        return try await location.open(environment, log: log)
      } catch {
        if environment.now() >= nextWord {
          log.error("Could not open the store; will retry", ("error", "\(error)"))
          nextWord = environment.now() + .seconds(60)
        }
      }
      do { try await environment.sleep(for: .seconds(1)) } catch { return nil }
    }
    return nil
  }

  /// Runs an engine from the opening of its store to its close.
  /// - Parameters:
  ///   - port: the port to listen on. Afterwards it has the actual port.
  ///   - isFirst: true to fail when another process owns the store. Later runs wait.
  private func serveOnce(
    _ store: any EventStore, port: inout Int, isFirst: Bool, until shutdown: Shutdown
  ) async throws -> End {
    var readStore: any SagaReadStore
    do {
      readStore = try await readLocation.openForReading(environment, log: log)
      if let listPause { readStore = SlowReadStore(store: readStore, pause: listPause, environment: environment) }
    } catch {
      await store.close()
      throw error
    }
    let client = HTTPClient()
    var configuration = http
    configuration.port = port
    let result: Result<End, any Error>
    do {
      let executor = try kafka?.executor(clock: environment.clock, log: log)
      let engine = engine(store, readStore, client, executor)
      let wire =
        try executor.map {
          try kafka?.wire(
            recognisesCallers: keys != nil || openID != nil, engine, store, $0, client, environment, log)
        } ?? nil
      let told = Notices(
        engine: engine, store: store,
        destinations: try notices.destinations(kafka: kafka, client: client, environment: environment, log: log),
        configuration: notices.configuration, environment: environment, log: log)
      let provider = openID.map { settings in
        OIDCProvider(settings, environment: environment, log: log) { request throws(HTTPClientError) in
          try await client.send(request)
        }
      }
      let server = APIServer(
        engine: engine, events: store, kafka: wire, notices: told, authenticator: authenticator(provider),
        version: ProgramVersion.text, configuration: configuration, environment: environment, log: log)
      let reading = Task { await provider?.run() }
      defer { reading.cancel() }
      let end = try await serve(engine, server, wire, told, port: &port, isFirst: isFirst, until: shutdown)
      await executor?.close()
      result = .success(end)
    } catch {
      result = .failure(error)
    }
    // 6. Close what is no longer used.
    await client.shutdown()
    await readStore.close()
    await store.close()
    return try result.get()
  }

  /// Returns what recognises callers; nil when every caller may do everything.
  private func authenticator(_ provider: OIDCProvider?) -> (any Authenticator)? {
    guard let provider else { return keys }
    guard let keys else { return provider }
    return Callers(keys: keys, tokens: provider)
  }

  /// Returns the file in which the engine notes its computations. Without a file, the next start holds no saga.
  private func interruptions() -> InterruptionFile? {
    for path in location.interruptionFiles {
      do {
        return try InterruptionFile(path: path)
      } catch  where error.kind == .locked {
        // The file belongs to another engine on another store in the same folder.
        continue
      } catch {
        log.warning(
          "Could not open the interruption file; a saga that crashes the engine will not be held at the next start",
          ("error", "\(error)"))
        return nil
      }
    }
    return nil
  }

  private func engine(
    _ store: any EventStore, _ readStore: any SagaReadStore, _ client: HTTPClient, _ kafka: KafkaStepExecutor?
  ) -> Engine {
    let http = HTTPStepExecutor(
      client: client,
      services: services.map { entry in
        Service(
          name: entry.name, baseURL: entry.url, keepsTombstones: entry.tombstones,
          maxInFlight: entry.maxInFlight ?? Service.usualInFlight)
      },
      access: Dictionary(services.map { ($0.name, $0.access) }, uniquingKeysWith: { first, _ in first }),
      clock: environment.clock, log: log)
    var configuration = Engine.Configuration(
      services: Set(services.map(\.name)), kafkaServices: Set(self.kafka?.services.map(\.name) ?? []))
    configuration.approvals = approvals
    configuration.sealKeys = sealKeys
    configuration.learnsExpectations = learnsExpectations
    configuration.interruptions = interruptions()
    configuration.takesUpHeld = takesUpHeld
    configuration.allowsDrafts = allowsDrafts
    configuration.beforeComputing = drill
    return Engine(
      store: store, executor: ActionExecutors(http: http, kafka: kafka), configuration: configuration,
      environment: environment, readStore: readStore, log: log)
  }

  private func serve(
    _ engine: Engine, _ server: APIServer, _ wire: EngineKafka?, _ told: Notices, port: inout Int, isFirst: Bool,
    until shutdown: Shutdown
  ) async throws -> End {
    // 2. The engine runs until it is cancelled. If it fails, the process ends with its error.
    let (owned, owning) = AsyncStream.makeStream(of: Void.self)
    let running = Task { [folder, terminal] in
      defer { shutdown.wake() }
      // A caller of a ready engine finds the workflows that come with it.
      try await engine.run(waiting: isFirst ? nil : Self.askAgain, owned: { owning.yield() }) {
        await folder.register(with: engine, terminal)
      }
    }
    do {
      port = try server.start()
    } catch {
      running.cancel()
      _ = await running.result
      throw error
    }
    // Kafka starts only when this process owns the store. Beside another engine it would take half of that engine's
    // messages and keep them.
    let watching = Task { [environment, log] in
      do { try await ClockWatch(clock: environment.clock, log: log).run() } catch {}
    }
    defer { watching.cancel() }
    let telling = Task { [log] in
      for await _ in owned { break }
      if Task.isCancelled { return }
      await withDiscardingTaskGroup { group in
        if let wire { group.addTask { await Self.run(wire, log) } }
        group.addTask { await told.run() }
      }
    }
    // 3. Ready: the open sagas are taken up, and the workflows are registered.
    while !engine.isReady, !shutdown.isAsked, !shutdown.isWoken {
      try await environment.sleep(for: .milliseconds(10))
    }
    if engine.isReady {
      let address = "\(http.certificate == nil ? "http" : "https")://\(http.host):\(port)"
      terminal.line("The engine listens on \(address)")
      terminal.line("  console    \(address)/")
      terminal.line("  store      \(location.shown)")
      if let certificate = http.certificate {
        terminal.line("  tls        with a certificate until \(certificate.expiresAt)")
      }
      terminal.line("  services   \(services.map(\.name).joined(separator: ", "))")
      if keys != nil || openID != nil {
        if keys != nil { terminal.line("  access     with a key; see `saga help key create`") }
        if let openID { terminal.line("  access     with a token of \(openID.issuer)") }
        if !http.isLoopback, http.certificate == nil {
          terminal.line("  plaintext  keys and tokens travel unencrypted: say --tls-cert, or use a proxy with TLS")
        }
      } else if http.isLoopback {
        terminal.line("  access     no sign-in is needed: only programs on this machine can connect")
      } else {
        terminal.line("  insecure   other machines can connect, and nobody is asked who is calling")
      }
      if !approvals.isEmpty {
        let verbs = OperatorVerb.Name.allCases.filter(approvals.contains).map(\.rawValue)
        terminal.line("  approval   \(verbs.joined(separator: ", ")) by a second person")
      }
      if allowsDrafts { terminal.line("  drafts     can be registered and started here") }
      for line in (kafka?.shown ?? []) + notices.shown {
        terminal.line("  \(Layout.pad(line.name, to: 9))  \(line.value)")
      }
      await shutdown.requested()
    }
    // 4. Limit the time for the rest of the process, and take no new requests and commands. Those under way are finished.
    LastDeadline.arm(terminal)
    // The engine's attempts then settle, while answers are still read. If another process owns the store, this process
    // releases the store at once, with all that was read from it.
    if shutdown.isAsked { terminal.line("Stopping: what is in flight may settle. Ctrl-C again stops at once.") }
    let isTakenOver = engine.storeHealth.isTakenOver
    if isTakenOver { telling.cancel() }
    let drainTime = isTakenOver ? .seconds(1) : Self.drainTime
    async let finished: Void? = wire?.takeNoMoreCommands(waiting: isTakenOver ? drainTime : EngineKafka.drainTime)
    await server.shutdown(drain: drainTime)
    await finished
    running.cancel()
    let ended = await running.result
    // 5. The engine's last events are still published, if Kafka takes them soon.
    telling.cancel()
    await telling.value
    do {
      try ended.get()
    } catch is CancellationError {
    } catch {
      guard isTakenOver else { throw error }
      return .takenOver
    }
    return .asked
  }

  /// A failure of Kafka does not stop the sagas. The log and the status report it.
  private static func run(_ wire: EngineKafka, _ log: Log) async {
    do {
      try await wire.run()
    } catch is CancellationError {
    } catch {
      log.error("The echo to Kafka has ended; sagas continue without it", ("error", "\(error)"))
    }
  }
}

/// The workflows that come with an engine.
struct WorkflowFolder {
  private let files: [URL]

  init(_ invocation: Invocation) throws {
    let named = invocation.arguments.value("workflows")
    // A mounted folder is often a symbolic link, whose content Foundation doesn't list.
    let folder = URL(fileURLWithPath: named ?? "workflows", isDirectory: true).resolvingSymlinksInPath()
    guard let found = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) else {
      guard named == nil else {
        throw CLIError(CLIErrorCode.configurationInvalid, "there is no folder \(folder.path) of workflows")
      }
      files = []
      return
    }
    files = found.filter { $0.pathExtension == "json" }.sorted { $0.lastPathComponent < $1.lastPathComponent }
  }

  /// Registers the valid files. An invalid file does not stop the other sagas. The engine reports it, unless it only
  /// needs a Kafka that this engine does not have.
  func register(with engine: Engine, _ terminal: Terminal) async {
    var names: [String] = []
    for file in files {
      do {
        let content = [UInt8](try Data(contentsOf: file))
        let workflow = try await engine.register(content, by: "saga serve", from: "file \(file.lastPathComponent)")
        names.append("\(workflow.name) v\(workflow.version)")
      } catch let error as EngineError where error.needsOnlyKafka {
        terminal.line("\(file.lastPathComponent) needs Kafka: not registered without --kafka")
      } catch {
        terminal.complain(Complaint.text(of: error, style: terminal.errorStyle))
        terminal.complain("  \(file.relativePath) was not registered; `saga check` says what is wrong with it\n")
      }
    }
    if !names.isEmpty { terminal.line("Registered \(names.joined(separator: ", "))") }
  }
}

extension EngineError {
  /// Whether the only error of a workflow is that it needs Kafka.
  var needsOnlyKafka: Bool {
    let errors = findings.filter { $0.severity == .error }
    return !errors.isEmpty && errors.allSatisfy { $0.code == WorkflowErrorCode.needsKafka }
  }
}

extension Invocation {
  /// `--requires-approval`: the verbs that need two people.
  fileprivate func approvals() throws(UsageError) -> Set<OperatorVerb.Name> {
    guard let text = arguments.value("requires-approval") else { return [] }
    let names = OperatorVerb.Name.allCases.map(\.rawValue)
    var verbs: Set<OperatorVerb.Name> = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
      guard let verb = OperatorVerb.Name(rawValue: word) else {
        let near = NearNames.nearest(to: word, among: names, completes: true).map { "; did you mean \($0)?" } ?? ""
        throw usage("--requires-approval knows no verb \"\(word)\"\(near)")
      }
      verbs.insert(verb)
    }
    return verbs
  }
}

extension OptionSpec {
  static let stopWithInput = OptionSpec(
    "stop-with-input", help: "stop when standard input ends, with the process that started it")
}
