import CSystem
import Foundation
import HTTP
import Persistence
import Runtime
import Server
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
    OptionSpec("host", value: "ADDRESS", help: "where to listen; 127.0.0.1"),
    OptionSpec("port", value: "PORT", help: "8080; 0 takes a free one"),
    OptionSpec(
      "service", value: "NAME=URL", repeats: true,
      help: "a service that workflows may call; with ,tombstones behind it when an undo that comes first makes the "
        + "late command refuse"),
    OptionSpec("services", value: "FILE", help: "the same as a JSON file"),
    OptionSpec(
      "requires-approval", value: "VERBS",
      help: "verbs that wait until a second person agrees, as abandon,resolve; see `saga ops approve`"),
    OptionSpec("workflows", value: "DIR", help: "workflows to register at the start; workflows/ if there is one"),
    OptionSpec(
      "no-learned-overdue", help: "call a step overdue only by what its workflow expects, not by what it took before"),
    OptionSpec("verbose", help: "log what happens, not only what goes wrong"),
    .stopWithInput,
  ] + NoticeOptions.all + KafkaOptions.engine,
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
  private let services: [ServiceEntry]
  private let kafka: KafkaSettings?
  private let notices: NoticeSettings
  private let approvals: Set<OperatorVerb.Name>
  private let folder: WorkflowFolder
  private let log: Log
  private let stopsWithInput: Bool
  private let learnsExpectations: Bool

  /// How long requests under way may take to be answered once the process is asked to stop.
  private static let drainTime = Duration.seconds(10)

  init(_ invocation: Invocation) throws {
    terminal = invocation.terminal
    environment = invocation.environment
    location = try invocation.store(else: .sqlite(path: ".saga/engine.db"))
    readLocation = try invocation.readStore() ?? location.besideIt
    http = HTTPServerConfiguration(
      host: invocation.arguments.value("host") ?? "127.0.0.1", port: try invocation.port(else: 8080))
    let named = try invocation.services()
    let isConfigured = invocation.arguments.value("services") != nil || !named.isEmpty
    services = isConfigured ? named : LabAddress.services(at: LabAddress.usual)
    kafka = try invocation.kafka()
    notices = try invocation.notices()
    approvals = try invocation.approvals()
    folder = try WorkflowFolder(invocation)
    log = .standardError(from: invocation.arguments.has("verbose") ? .info : .warning)
    stopsWithInput = invocation.arguments.has("stop-with-input")
    learnsExpectations = !invocation.arguments.has("no-learned-overdue")
  }

  func run() async throws -> ExitStatus {
    // 1. From here on a signal is a request, not the end.
    let shutdown = Shutdown.listening(on: terminal, withInput: stopsWithInput)
    let store = try await location.open(environment)
    let readStore: any SagaReadStore
    do {
      readStore = try await readLocation.openForReading(environment)
    } catch {
      await store.close()
      throw error
    }
    let client = HTTPClient()
    let result: Result<Void, any Error>
    do {
      let executor = try kafka?.executor(clock: environment.clock, log: log)
      let engine = engine(store, readStore, client, executor)
      let wire = try executor.map { try kafka?.wire(engine, store, $0, client, environment, log) } ?? nil
      let told = Notices(
        engine: engine, store: store,
        destinations: try notices.destinations(kafka: kafka, client: client, environment: environment, log: log),
        configuration: notices.configuration, environment: environment, log: log)
      let server = APIServer(
        engine: engine, events: store, kafka: wire, notices: told, configuration: http, environment: environment,
        log: log)
      try await serve(engine, server, wire, told, until: shutdown)
      await executor?.close()
      result = .success(())
    } catch {
      result = .failure(error)
    }
    // 6. Nothing uses them any more.
    await client.shutdown()
    await readStore.close()
    await store.close()
    try result.get()
    return .success
  }

  private func engine(
    _ store: any EventStore, _ readStore: any SagaReadStore, _ client: HTTPClient, _ kafka: KafkaStepExecutor?
  ) -> Engine {
    let http = HTTPStepExecutor(
      client: client,
      services: services.map { Service(name: $0.name, baseURL: $0.url, keepsTombstones: $0.tombstones) },
      clock: environment.clock)
    var configuration = Engine.Configuration(
      services: Set(services.map(\.name)), kafkaServices: Set(self.kafka?.services.map(\.name) ?? []))
    configuration.approvals = approvals
    configuration.learnsExpectations = learnsExpectations
    return Engine(
      store: store, executor: ActionExecutors(http: http, kafka: kafka), configuration: configuration,
      environment: environment, readStore: readStore, log: log)
  }

  private func serve(
    _ engine: Engine, _ server: APIServer, _ wire: EngineKafka?, _ told: Notices, until shutdown: Shutdown
  ) async throws {
    // 2. The engine runs until it is cancelled; should it fail, the process ends with its error.
    let (owned, owning) = AsyncStream.makeStream(of: Void.self)
    let running = Task { [folder, terminal] in
      defer { shutdown.wake() }
      // Whoever asks a ready engine finds the workflows that it brings along.
      try await engine.run(owned: { owning.yield() }) { await folder.register(with: engine, terminal) }
    }
    let port: Int
    do {
      port = try server.start()
    } catch {
      running.cancel()
      _ = await running.result
      throw error
    }
    // Not before the store is ours: beside another engine it would take half of that one's messages, and keep them.
    let telling = Task { [log] in
      for await _ in owned { break }
      if Task.isCancelled { return }
      await withDiscardingTaskGroup { group in
        if let wire { group.addTask { await Self.run(wire, log) } }
        group.addTask { await told.run() }
      }
    }
    // 3. Ready: what was open is in hand, and the workflows are registered.
    while !engine.isReady, !shutdown.isAsked, !shutdown.isWoken {
      try await environment.clock.sleep(until: environment.now() + .milliseconds(10))
    }
    if engine.isReady {
      terminal.line("The engine listens on http://\(http.host):\(port)")
      terminal.line("  console    http://\(http.host):\(port)/")
      terminal.line("  store      \(location.shown)")
      terminal.line("  services   \(services.map(\.name).joined(separator: ", "))")
      if !approvals.isEmpty {
        let verbs = OperatorVerb.Name.allCases.filter(approvals.contains).map(\.rawValue)
        terminal.line("  approval   \(verbs.joined(separator: ", ")) by a second person")
      }
      for line in (kafka?.shown ?? []) + notices.shown {
        terminal.line("  \(Layout.pad(line.name, to: 9))  \(line.value)")
      }
      await shutdown.requested()
    }
    // 4. No new requests and commands; then the engine lets its attempts settle, for which answers are read on.
    if shutdown.isAsked { terminal.line("Stopping: what is in flight may settle. Ctrl-C again stops at once.") }
    wire?.takeNoMoreCommands()
    await server.shutdown(drain: Self.drainTime)
    running.cancel()
    let ended = await running.result
    // 5. What the engine stored last is still told, when Kafka takes it soon.
    telling.cancel()
    await telling.value
    do {
      try ended.get()
    } catch is CancellationError {}
  }

  /// Kafka failing, however it does, is no reason to stop the sagas; it is said, and shows in the status.
  private static func run(_ wire: EngineKafka, _ log: Log) async {
    do {
      try await wire.run()
    } catch is CancellationError {
    } catch {
      log.error("The echo to Kafka has ended; sagas go on without it", ("error", "\(error)"))
    }
  }
}

/// The workflows that an engine brings along.
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

  /// Registers what can be. A file that can't be keeps nobody from the sagas that run: it is complained of, unless all
  /// that it lacks is a Kafka that this engine was not given.
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
  /// Whether nothing is wrong with a workflow but that it needs Kafka.
  var needsOnlyKafka: Bool {
    let errors = findings.filter { $0.severity == .error }
    return !errors.isEmpty && errors.allSatisfy { $0.code == WorkflowErrorCode.needsKafka }
  }
}

extension Invocation {
  /// `--requires-approval`: the verbs that take two people.
  fileprivate func approvals() throws(UsageError) -> Set<OperatorVerb.Name> {
    guard let text = arguments.value("requires-approval") else { return [] }
    let names = OperatorVerb.Name.allCases.map(\.rawValue)
    var verbs: Set<OperatorVerb.Name> = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
      guard let verb = OperatorVerb.Name(rawValue: word) else {
        let near = NearName.of(word, among: names).map { "; did you mean \($0)?" } ?? ""
        throw usage("--requires-approval knows no verb \"\(word)\"\(near)")
      }
      verbs.insert(verb)
    }
    return verbs
  }
}

extension OptionSpec {
  static let stopWithInput = OptionSpec(
    "stop-with-input", help: "stop when standard input ends, so that it never outlives what started it")
}
