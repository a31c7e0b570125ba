import HTTP
import Laboratory
import Persistence
import Runtime

let labCommand = CommandSpec(
  "lab", summary: "run a laboratory to try workflows with",
  about: [
    "Runs samples, storage, sequencing, notification, an accession registry, quality control, a pipeline, library "
      + "preparation and pooling in one process, with a store of their own (.saga/lab.db). GET /lab/summary lists what they hold. POST /lab/faults adds faults while they run.",
    "A fault is SERVICE.COMMAND:KIND. KIND is fail=CODE, status=503, timeout, drop-answer, or slow=2s. After it, with "
      + "commas: once, times=N, every=N, match=TS-*. people.SIGNAL:KIND is a fault of a person: fail refuses, timeout "
      + "never answers, drop-answer answers twice, slow answers late.",
  ],
  options: [
    OptionSpec("store", value: "STORE", help: "sqlite:PATH, postgres:URL, or memory")
  ] + ListenOptions.all(port: LabAddress.usualPort) + [
    OptionSpec("fault", value: "FAULT", repeats: true, help: "a fault from the start on"),
    OptionSpec(
      "engine", value: "URL", help: "take tasks from the queues laboratory.SERVICE of this engine, as workers do"),
    .keyFile, .authorities,
    OptionSpec("boxes", value: "N", help: "boxes of 96 in each freezer of a new laboratory; else 40"),
    OptionSpec("accession-time", value: "DURATION", help: "the registry's time for an accession number; else 10s"),
    OptionSpec("run-time", value: "DURATION", help: "how long a sequencing run takes; else 30s"),
    OptionSpec("measurement-time", value: "DURATION", help: "how long the fluorometer and the analyzer take; else 10s"),
    OptionSpec(
      "robot-time", value: "DURATION", help: "how long a robot takes for a stage of library preparation; else 10s"),
    OptionSpec("demultiplex-time", value: "DURATION", help: "how long a demultiplexing job takes; else 10s"),
    OptionSpec(
      "people", value: "URL",
      help:
        "play the customer, quality assurance, the operator and the instruments for this engine: answer the signals "
        + "that the shipped workflows wait for"),
    OptionSpec("people-delay", value: "DURATION", help: "how long a person takes to answer; else 2s"),
    OptionSpec(
      "services-file", value: "FILE", help: "write the laboratory's services to this file, for `saga serve --services`"),
    .stopWithInput,
  ] + LogOptions.all(usual: .error) + KafkaOptions.laboratory,
  examples: [
    .init(says: "Everything works", line: "saga lab --services-file services.json"),
    .init(
      says: "Every tenth storing is done but not answered",
      line: "saga lab --fault storage.store:drop-answer,every=10"),
    .init(
      says: "Its services take tasks, and its people answer",
      line: "saga lab --engine 127.0.0.1:8080 --people 127.0.0.1:8080"),
  ]
) { invocation in
  let terminal = invocation.terminal
  let location = try invocation.store(else: .sqlite(path: ".saga/lab.db"))
  let faults = try FaultPlan(parsing: invocation.arguments.values("fault"))
  let boxes = try invocation.number("boxes") ?? 40
  guard (1...1_000).contains(boxes) else { throw invocation.usage("--boxes wants a number from 1 to 1000") }
  var times = LabTimes()
  if let time = try invocation.time("accession-time") { times.accession = time }
  if let time = try invocation.time("run-time") { times.run = time }
  if let time = try invocation.time("measurement-time") { times.measurement = time }
  if let time = try invocation.time("robot-time") { times.robot = time }
  if let time = try invocation.time("demultiplex-time") { times.demultiplexing = time }
  let people = try invocation.people()
  let configuration = try invocation.listening(port: LabAddress.usualPort)
  let kafka = try invocation.labKafka()
  let tasks = try invocation.engineAddress("engine").map {
    LabTasks.Configuration(
      engine: $0, key: try invocation.accessKey(), certificateAuthorities: try invocation.authorities())
  }
  let log = try invocation.log(usual: .error)
  let shutdown = Shutdown.listening(on: terminal, withInput: invocation.arguments.has("stop-with-input"))
  let store = try await location.open(invocation.environment, log: try invocation.log(usual: .warning))
  let lab = LabServer(
    store: store, environment: invocation.environment, faults: faults,
    layout: .standard(boxesPerZone: boxes), times: times, kafka: kafka, tasks: tasks, people: people,
    configuration: configuration, log: log)
  do {
    let listening = try await lab.start()
    // A reader of the address finds the file.
    if let file = invocation.arguments.value("services-file") {
      let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
      let services = LabAddress.services(at: "http://\(host):\(listening)")
      do {
        try ReplacedFile.write(Array(ServiceList.text(of: services).utf8), to: file)
      } catch {
        await lab.shutdown()
        throw error
      }
    }
    terminal.line("The laboratory listens on http://\(configuration.host):\(listening)")
    terminal.line("  store      \(location.shown)")
    if let people { terminal.line("  people     answer the sagas of \(people.engine)") }
    if let kafka { terminal.line("  kafka      \(kafka.shown)") }
    if let tasks { terminal.line("  tasks      \(tasks.engine)") }
    for fault in invocation.arguments.values("fault") { terminal.line("  fault      \(fault)") }
    // If another process writes the store, the laboratory's data in memory is out of date: the process ends and gives
    // the reason.
    let watching = Task {
      for await health in store.healthChanges() where health.isTakenOver { return shutdown.wake() }
    }
    await shutdown.requested()
    watching.cancel()
    await lab.shutdown()
    if store.health().isTakenOver {
      throw StoreError(.notOwner, "another process has taken over the laboratory's store")
    }
  } catch {
    await store.close()
    throw error
  }
  await store.close()
  return .success
}

extension Invocation {
  /// Returns the address of an engine that an option names.
  fileprivate func engineAddress(_ option: String) throws -> String? {
    guard let text = arguments.value(option) else { return nil }
    let address = APIClient.address(text)
    if let mistake = WebAddress.mistake(in: address) { throw usage("--\(option): the URL \(mistake)") }
    return address
  }

  /// `--people` and `--people-delay`.
  fileprivate func people() throws -> LabPeople.Configuration? {
    guard let url = try engineAddress("people") else {
      if arguments.value("people-delay") != nil { throw usage("--people-delay needs an engine: --people URL") }
      return nil
    }
    var people = LabPeople.Configuration(
      engine: url, key: try accessKey(), certificateAuthorities: try authorities())
    if let delay = try time("people-delay") { people.delay = delay }
    return people
  }
}

/// The address of the laboratory.
enum LabAddress {
  static let usualPort = 8090
  static let usual = "http://127.0.0.1:\(usualPort)"

  /// Its services, which all keep tombstones.
  static func services(at url: String) -> [ServiceEntry] {
    LabService.allCases.map { ServiceEntry(name: $0.rawValue, url: "\(url)/\($0.rawValue)", tombstones: true) }
  }
}
