import JSON
import Laboratory
import Runtime
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
    if let turnBack = saga.turnBack { return (turnBack.step ?? turnBack.cause, turnBack.code, turnBack.message) }
    return saga.stuck.first.map { ($0.step, $0.code, $0.message) }
  }
  var steps: [SagaResponse.Step] { saga.steps }
}

/// Starts sagas for the tubes of a manifest, with a limit on those at a time, and waits for the end of each.
struct Plate: Sendable {
  let manifest: Manifest
  let workflow: String
  let client: APIClient
  let environment: Environment

  func send(atOnce: Int, progress: Progress, _ shutdown: Shutdown) async throws -> [Tube] {
    try await withThrowingTaskGroup(of: Tube.self) { group in
      var tubes: [Tube] = []
      var rows = manifest.rows[...]
      var underWay = 0
      func sendNext() {
        guard !shutdown.isAsked, let row = rows.popFirst() else { return }
        underWay += 1
        group.addTask { try await send(row) }
      }
      for _ in 0..<atOnce { sendNext() }
      progress.show(tubes, underWay: underWay)
      while let tube = try await group.next() {
        tubes.append(tube)
        underWay -= 1
        sendNext()
        progress.show(tubes, underWay: underWay)
      }
      progress.end()
      return tubes
    }
  }

  private func send(_ row: Manifest.Row) async throws -> Tube {
    let barcode = row.input["barcode"]?.stringValue.map(Layout.printable) ?? ""
    // The line number is the key, so that a tube that is sent twice is processed once.
    let start = SagaStart(
      workflow: workflow, input: row.input, key: "line-\(row.line)", wait: ("5s", .seconds(5)))
    var saga: SagaResponse = try await start.send(with: client).read()
    while saga.endedAt == nil, saga.status != "stuck" {
      saga = try await client.get(.getSaga, saga.id, query: [("wait", "5s")]).read()
    }
    return Tube(barcode: barcode, saga: saga)
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

  func show(_ tubes: [Tube], underWay: Int) {
    let line = text(tubes, underWay: underWay)
    if terminal.isTerminal {
      terminal.write("\r\u{1B}[K" + line)
    } else if tubes.count.isMultiple(of: 16) || tubes.count == total {
      terminal.line(line)
    }
  }

  func end() { terminal.line("") }

  private func text(_ tubes: [Tube], underWay: Int) -> String {
    let done = total == 0 ? Self.barWidth : tubes.count * Self.barWidth / total
    let bar = String(repeating: "█", count: done) + String(repeating: "░", count: Self.barWidth - done)
    let completed = tubes.filter { $0.status == "completed" }.count
    let compensated = tubes.filter { $0.status == "compensated" }.count
    let style = terminal.style
    return "\(bar) \(tubes.count)/\(total)  \(style.colour("✓ \(completed)", .green))"
      + "  \(style.colour("↩ \(compensated)", .magenta))  ▸ \(underWay)"
      + (underWay > 0 && tubes.count + underWay == total ? "  answers are overdue" : "")
  }
}
