import Foundation
import JSON
import Laboratory
import Runtime
import Server
import Values
import Wire

let demoCommand = CommandSpec(
  "demo", summary: "send a plate of 96 tubes through a workflow",
  about: [
    "Starts an engine and a laboratory on free ports, with SQLite stores in a temporary folder, and sends a manifest "
      + "through sample-processing over REST. Some tubes are wrong and the laboratory misbehaves, so some starts are "
      + "refused and some sagas are undone. At the end it compares the sagas with the laboratory's own record.",
    "On a terminal, engine and laboratory then run until Ctrl-C. Run the command in the folder that has workflows/.",
  ],
  options: [
    OptionSpec("manifest", value: "FILE", help: "the tubes; workflows/examples/plate-96.csv"),
    OptionSpec("workflow", value: "FILE", help: "the workflow; workflows/sample-processing.json"),
    OptionSpec("fault", value: "FAULT", repeats: true, help: "use this fault instead (see `saga help lab`)"),
    OptionSpec("at-once", value: "N", help: "how many sagas may run at a time; 24"),
    OptionSpec("keep", value: "DIR", help: "keep stores and logs there"),
    OptionSpec("stay", help: "run until Ctrl-C, also without a terminal"),
    OptionSpec("no-stay", help: "end when it is done, also on a terminal"),
  ],
  examples: [
    .init(says: "Everything, in half a minute", line: "saga demo"),
    .init(
      says: "With a fault of your own, and the stores kept",
      line: "saga demo --keep /tmp/demo --fault storage.allocate:fail,every=5"),
  ]
) { try await Demo($0).run() }

/// The demonstration, from its first process to its last.
struct Demo {
  private let invocation: Invocation
  private let manifest: Manifest
  private let manifestFile: String
  private let workflow: URL
  private let faults: [String]
  private let atOnce: Int
  private let folder: URL
  private let isKept: Bool
  private let stays: Bool

  /// The usual faults: a temporary refusal that is retried, and an answer that never comes, so its step may have
  /// happened and is undone.
  private static let usualFaults = ["sequencing.schedule:status=503,every=30", "storage.store:drop-answer,every=40"]

  init(_ invocation: Invocation) throws {
    self.invocation = invocation
    let arguments = invocation.arguments
    manifestFile = arguments.value("manifest") ?? "workflows/examples/plate-96.csv"
    workflow = URL(fileURLWithPath: arguments.value("workflow") ?? "workflows/sample-processing.json")
    // The columns are the members of the workflow's input. A column that it doesn't name would not be used.
    let schema = (try? JSON(parsing: try invocation.bytes(of: workflow.path)))?["inputSchema"]
    do {
      manifest = try Manifest(
        parsing: try invocation.bytes(of: manifestFile),
        columns: Manifest.Column.all(of: schema) ?? Manifest.sampleProcessing)
    } catch let error as ManifestError {
      throw CLIError(error.code, "\(manifestFile): \(error.message)")
    }
    faults = arguments.values("fault").isEmpty ? Self.usualFaults : arguments.values("fault")
    for fault in faults { _ = try Fault(fault) }
    atOnce = max(1, try invocation.number("at-once") ?? 24)
    isKept = arguments.value("keep") != nil
    folder =
      arguments.value("keep").map { URL(fileURLWithPath: $0, isDirectory: true) }
      ?? FileManager.default.temporaryDirectory.appending(path: "saga-demo-\(invocation.environment.newID())")
    stays = arguments.has("stay") || (invocation.terminal.isTerminal && !arguments.has("no-stay"))
  }

  func run() async throws -> ExitStatus {
    try FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer { if !isKept { try? FileManager.default.removeItem(at: folder) } }
    let shutdown = Shutdown.listening(on: invocation.terminal, withInput: false)
    var children: [ChildProcess] = []
    let result: Result<ExitStatus, any Error>
    do {
      result = .success(try await tell(shutdown, &children))
    } catch {
      result = .failure(error)
    }
    for child in children.reversed() { await child.stop() }
    return try result.get()
  }

  private func tell(_ shutdown: Shutdown, _ children: inout [ChildProcess]) async throws -> ExitStatus {
    let terminal = invocation.terminal
    let lab = try await start("lab", ["--boxes", "4"] + faults.flatMap { ["--fault", $0] }, &children)
    let services = LabAddress.services(at: lab).flatMap { ["--service", "\($0.name)=\($0.url),tombstones"] }
    let nothing = folder.appending(path: "no-workflows")
    try FileManager.default.createDirectory(at: nothing, withIntermediateDirectories: true)
    let engine = try await start("engine", ["--workflows", nothing.path] + services, &children)
    let client = APIClient(server: engine, user: "saga-demo", send: invocation.send)
    let registration: RegistrationResponse = try await client.answer(
      to: APIRequest(.registerWorkflow, body: try invocation.bytes(of: workflow.path))
    ).read()
    terminal.line("An engine at \(engine), a laboratory at \(lab).")
    for fault in faults { terminal.line("A fault in the laboratory: \(fault)") }
    terminal.line("")
    let began = invocation.environment.now()
    let plate = Plate(
      manifest: manifest, workflow: registration.name, client: client, environment: invocation.environment)
    let results = try await plate.send(
      atOnce: atOnce, progress: Progress(terminal, total: manifest.rows.count), shutdown)
    if shutdown.isAsked { return .failure }
    let took = invocation.environment.now() - began
    let account = try await LabAccount.read(at: lab, send: invocation.send)
    let report = DemoReport(
      tubes: results.tubes, refused: results.refused, account: account, style: terminal.style)
    terminal.line("\(manifest.rows.count) tubes of \(manifestFile) in \(TimeText.duration(took)):")
    terminal.write(report.lines().map { $0 + "\n" }.joined())
    if stays {
      terminal.write(report.further(program: CommandLine.arguments[0], server: engine).map { $0 + "\n" }.joined())
      terminal.line("\nEngine and laboratory run until Ctrl-C.")
      await shutdown.requested()
    } else {
      terminal.line("\nTo look at the sagas: saga demo --stay, then saga show ID.")
    }
    return report.holds ? .success : .failure
  }

  /// Starts one of the two processes and waits until it prints its address.
  private func start(_ name: String, _ arguments: [String], _ children: inout [ChildProcess]) async throws -> String {
    let log = folder.appending(path: "\(name).log")
    let verb = name == "engine" ? "serve" : name
    let store = "sqlite:" + folder.appending(path: "\(name).db").path
    let child = try ChildProcess(
      name, arguments: [verb, "--port", "0", "--store", store, "--stop-with-input"] + arguments, log: log)
    children.append(child)
    for await line in child.lines {
      if let url = line.firstMatch(of: #/http://[0-9A-Za-z.\[\]:]+:[0-9]+/#) { return String(url.output) }
    }
    let said = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
    throw CLIError(
      CLIErrorCode.childFailed, "the \(name) did not start",
      advice: said.split(separator: "\n").suffix(5).map(String.init))
  }
}
