import Wire

/// `saga echo`: the state of the echo to Kafka in 80 columns. Lists only the shards that are behind.
struct EchoDrawing {
  let echo: EchoResponse
  let style: Style
  static let width = 80
  private static let mostShards = 16

  func lines() -> [String] { headline() + facts() + [""] + shards() + consumers() }

  /// State and lag in one line: `current, 0 events behind`.
  var summary: String { summary(mark.word) }

  var mark: StatusLabel {
    switch echo.state {
    case "current": StatusLabel(symbol: "✓", word: "current", colour: .green)
    case "catchingUp": StatusLabel(symbol: "▸", word: "catching up", colour: .yellow)
    case "held": StatusLabel(symbol: "!", word: "blocked", colour: .red)
    default: StatusLabel(symbol: "?", word: echo.state, colour: nil)
    }
  }

  private func summary(_ word: String) -> String {
    let isLate = echo.lagEvents > 0 && echo.lagSeconds >= .seconds(1)
    let time = isLate ? " and \(TimeText.duration(echo.lagSeconds))" : ""
    return "\(word), \(FileReport.count(echo.lagEvents, "event"))\(time) behind"
  }

  private func headline() -> [String] {
    let state = "\(mark.symbol) \(mark.word)"
    let problem = echo.problem.map { ": \($0.message) [\($0.code)]" } ?? ""
    let wrapped = Layout.wrap(summary(state) + problem, width: Self.width - 2)
    return wrapped.enumerated().map { index, line in
      index == 0 ? style.colour(state, mark.colour) + line.dropFirst(state.count) : "  " + line
    }
  }

  private func facts() -> [String] {
    var facts = [("topic", echo.topic)]
    if let problem = echo.problem { facts.append(("since", TimeText.full(problem.since))) }
    let dead = echo.deadLettered > 0 ? ", and \(echo.deadLettered) to the dead letters" : ""
    facts.append(("delivered", "\(FileReport.count(echo.delivered, "event")) since the engine started\(dead)"))
    return facts.flatMap { fact($0.0, $0.1) }
  }

  private func fact(_ name: String, _ value: String) -> [String] {
    Layout.wrap(value, width: Self.width - 15).enumerated().map { index, line in
      "  " + style.dim(Layout.pad(index == 0 ? name : "", to: 13)) + line
    }
  }

  private func shards() -> [String] {
    func behind(_ shard: EchoResponse.Shard) -> Int { shard.head - shard.delivered }
    let late = echo.shards.filter { behind($0) > 0 }.sorted { behind($0) > behind($1) }
    guard !late.isEmpty else { return ["  \(FileReport.count(echo.shards.count, "shard")), none behind"] }
    func row(_ cells: [String]) -> String {
      "  " + cells.enumerated().map { Layout.padLeft($1, to: $0 == 0 ? 5 : 13) }.joined(separator: "  ")
    }
    var lines = [style.dim(row(["SHARD", "STORED", "DELIVERED", "BEHIND", "CHECKPOINT"]))]
    for shard in late.prefix(Self.mostShards) {
      lines.append(
        row([shard.shard, shard.head, shard.delivered, behind(shard), shard.checkpoint].map { "\($0)" }))
    }
    let hidden = late.count - Self.mostShards
    if hidden > 0 { lines.append(style.dim("  … and \(hidden) more (all of them: --json)")) }
    let well = echo.shards.count - late.count
    if well > 0 { lines.append("  \(FileReport.count(well, "other shard")), not behind") }
    return lines
  }

  private func consumers() -> [String] {
    echo.consumers.flatMap { consumer -> [String] in
      let facts = [
        "\(consumer.lag) waiting", "\(consumer.handled) handled",
        consumer.deadLettered > 0 ? "\(consumer.deadLettered) to the dead letters" : nil,
        FileReport.count(consumer.partitions, "partition"),
      ]
      var lines = [
        "", "  " + style.bold(Layout.clip(consumer.topics.joined(separator: ", "), to: Self.width - 2)),
        "    " + facts.compactMap { $0 }.joined(separator: ", "),
      ]
      if let problem = consumer.problem {
        lines += Layout.wrap(problem, width: Self.width - 4).map { "    " + style.colour($0, .red) }
      }
      return lines
    }
  }
}
