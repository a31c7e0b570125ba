import JSON
import Laboratory
import Runtime
import SagaCore
import Server
import Values
import Wire

/// A tube with the saga that processed it.
struct Tube: Sendable {
  let barcode: String
  let saga: SagaResponse

  var id: String { saga.id }
  var status: String { saga.status }
  /// The reason why the saga compensates or is stuck.
  var cause: (step: String, code: String, message: String)? {
    if let turnBack = saga.turnBack { return (turnBack.failedStep ?? turnBack.cause, turnBack.code, turnBack.message) }
    return saga.stuck.first.map { ($0.step, $0.code, $0.message) }
  }
  var steps: [SagaResponse.Step] { saga.steps }
}

/// A tube that the engine started no saga for, because its line doesn't meet the schema of the workflow.
struct RefusedTube: Sendable {
  let code: String
  /// The first violation.
  let message: String
}

/// Starts sagas for the tubes of a manifest, with a limit on those at a time, and waits for the end of each.
struct Plate: Sendable {
  struct Results: Sendable {
    var tubes: [Tube] = []
    var refused: [RefusedTube] = []
    var count: Int { tubes.count + refused.count }
  }

  private enum Sent: Sendable {
    case processed(Tube)
    case refused(RefusedTube)
  }

  let manifest: Manifest
  let workflow: String
  let client: APIClient
  let environment: Environment

  func send(atOnce: Int, progress: Progress, _ shutdown: Shutdown) async throws -> Results {
    try await withThrowingTaskGroup(of: Sent.self) { group in
      var results = Results()
      var rows = manifest.rows[...]
      var underWay = 0
      func sendNext() {
        guard !shutdown.isAsked, let row = rows.popFirst() else { return }
        underWay += 1
        group.addTask { try await send(row) }
      }
      for _ in 0..<atOnce { sendNext() }
      progress.show(results, underWay: underWay)
      while let sent = try await group.next() {
        switch sent {
        case .processed(let tube): results.tubes.append(tube)
        case .refused(let tube): results.refused.append(tube)
        }
        underWay -= 1
        sendNext()
        progress.show(results, underWay: underWay)
      }
      progress.end()
      return results
    }
  }

  private func send(_ row: Manifest.Row) async throws -> Sent {
    let barcode = row.input["barcode"]?.stringValue.map(Layout.printable) ?? ""
    // The line number is the key, so that a tube that is sent twice is processed once.
    let start = SagaStart(
      workflow: workflow, input: row.input, key: "line-\(row.line)", wait: ("5s", .seconds(5)))
    var saga: SagaResponse
    do {
      saga = try await start.send(with: client).read()
    } catch let refusal as APIRefusal where refusal.code == EngineErrorCode.inputInvalid {
      return .refused(RefusedTube(code: refusal.code, message: refusal.advice.first ?? refusal.message))
    }
    while saga.endedAt == nil, saga.status != "stuck" {
      saga = try await client.get(.getSaga, saga.id, query: [("wait", "5s")]).read()
    }
    return .processed(Tube(barcode: barcode, saga: saga))
  }
}

/// Shows the progress: one line that is redrawn on a terminal, an occasional line elsewhere.
struct Progress: Sendable {
  private let terminal: Terminal
  private let total: Int
  private static let barWidth = 24

  init(_ terminal: Terminal, total: Int) {
    self.terminal = terminal
    self.total = total
  }

  func show(_ results: Plate.Results, underWay: Int) {
    let line = text(results, underWay: underWay)
    if terminal.isTerminal {
      terminal.write("\r\u{1B}[K" + line)
    } else if results.count.isMultiple(of: 16) || results.count == total {
      terminal.line(line)
    }
  }

  func end() { terminal.line("") }

  private func text(_ results: Plate.Results, underWay: Int) -> String {
    let tubes = results.tubes
    let done = total == 0 ? Self.barWidth : results.count * Self.barWidth / total
    let bar = String(repeating: "█", count: done) + String(repeating: "░", count: Self.barWidth - done)
    let completed = tubes.filter { $0.status == "completed" }.count
    let compensated = tubes.filter { $0.status == "compensated" }.count
    let style = terminal.style
    return "\(bar) \(results.count)/\(total)  \(style.colour("✓ \(completed)", .green))"
      + "  \(style.colour("↩ \(compensated)", .magenta))  ▸ \(underWay)"
      + (underWay > 0 && results.count + underWay == total ? "  answers are overdue" : "")
  }
}
