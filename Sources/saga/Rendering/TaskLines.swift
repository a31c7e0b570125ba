import Values
import Wire

/// `saga tasks`: the queues, and below them the tasks, in 80 columns.
struct TaskLines {
  let now: Timestamp
  let style: Style
  private static let width = 80
  private static let queueWidth = 20

  func lines(of response: TasksResponse) -> [String] {
    if response.queues.isEmpty, response.tasks.isEmpty { return ["No tasks, and no worker has asked for one."] }
    var lines = response.queues.map(line)
    if !response.tasks.isEmpty { lines.append("") }
    lines += response.tasks.flatMap(self.lines)
    if response.more > 0 { lines.append(style.dim("And \(response.more) more: --limit, at most 1000")) }
    return lines
  }

  /// `robot                3 waiting, 1 with workers, 2 workers wait, last asked 4s ago`
  private func line(of queue: TasksResponse.Queue) -> String {
    var facts = ["\(queue.waiting) waiting", "\(queue.taken) with workers"]
    if queue.workersWaiting > 0 {
      facts.append(
        "\(FileReport.count(queue.workersWaiting, "worker")) \(queue.workersWaiting == 1 ? "waits" : "wait")")
    }
    facts.append(queue.lastAskedAt.map { "last asked \(ago($0))" } ?? "no worker has asked yet")
    return Layout.clip(
      "\(Layout.pad(queue.queue, to: Self.queueWidth)) \(facts.joined(separator: ", "))", to: Self.width)
  }

  private func lines(of task: TasksResponse.Task) -> [String] {
    let mark =
      switch task.status {
      case "taken": StatusLabel(symbol: "▸", word: "taken", colour: .yellow)
      case "held": StatusLabel(symbol: "‖", word: "paused", colour: nil)
      case "waiting": StatusLabel(symbol: "·", word: "waiting", colour: nil)
      default: StatusLabel(symbol: "?", word: task.status, colour: nil)
      }
    let what = (task.phase == "undo" ? "undo of " : "") + task.step + (task.attempt > 1 ? ", try \(task.attempt)" : "")
    let head = style.colour("\(mark.symbol) \(Layout.pad(mark.word, to: 8))", mark.colour)
    let line = "\(head) \(Layout.pad(Layout.clip(task.queue, to: Self.queueWidth), to: Self.queueWidth)) \(what)"
    let name = (task.title ?? task.sagaKey).map { [Layout.printable($0)] } ?? []
    var facts = name + ["saga \(task.saga)", "offered \(ago(task.offeredAt))"]
    if let worker = task.worker {
      facts.append("worker \(worker)" + (task.takenAt.map { " since \(TimeText.duration(now - $0))" } ?? ""))
      facts.append(task.heartbeatAt.map { "last heartbeat \(ago($0))" } ?? "no heartbeat yet")
    }
    if let progress = task.progress, !progress.isEmpty { facts.append(progress) }
    return [line] + Layout.wrap(facts.joined(separator: ", "), width: Self.width - 4).map { "    " + $0 }
  }

  private func ago(_ time: Timestamp) -> String { "\(TimeText.duration(now - time)) ago" }
}
