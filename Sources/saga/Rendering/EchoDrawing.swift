import JSON
import Values

/// `saga echo`: how the echo to Kafka stands, in 80 columns. Shards that are not behind are only counted.
struct EchoDrawing {
  let echo: JSON
  let style: Style
  static let width = 80
  private static let mostShards = 16

  func lines() -> [String] { headline() + facts() + [""] + shards() + consumers() }

  /// `current, 0 events behind`: state and lag in the words of a line.
  var summary: String { summary(mark.word) }

  var mark: Mark {
    switch echo["state"]?.stringValue {
    case "current": Mark(symbol: "✓", word: "current", colour: .green)
    case "catchingUp": Mark(symbol: "▸", word: "catching up", colour: .yellow)
    case "held": Mark(symbol: "!", word: "held up", colour: .red)
    default: Mark(symbol: "?", word: echo.text("state") ?? "unknown", colour: nil)
    }
  }

  private func summary(_ word: String) -> String {
    let events = echo["lagEvents"]?.intValue ?? 0
    let seconds = echo["lagSeconds"]?.doubleValue ?? 0
    let time = events > 0 && seconds >= 1 ? " and \(Moments.duration(.seconds(seconds)))" : ""
    return "\(word), \(FileReport.count(events, "event"))\(time) behind"
  }

  private func headline() -> [String] {
    let state = "\(mark.symbol) \(mark.word)"
    let problem = echo["problem"].map { ": \($0.text("message") ?? "")\($0.text("code").map { " [\($0)]" } ?? "")" }
    let wrapped = Layout.wrap(summary(state) + (problem ?? ""), width: Self.width - 2)
    return wrapped.enumerated().map { index, line in
      index == 0 ? style.colour(state, mark.colour) + line.dropFirst(state.count) : "  " + line
    }
  }

  private func facts() -> [String] {
    var facts = [("topic", echo.text("topic") ?? "")]
    if let since = echo["problem"]?.moment("since") { facts.append(("since", Moments.full(since))) }
    let letters = echo["deadLettered"]?.intValue ?? 0
    facts.append(
      (
        "delivered",
        "\(FileReport.count(echo["delivered"]?.intValue ?? 0, "event")) since the engine began"
          + (letters > 0 ? ", and \(letters) to the dead letters" : "")
      ))
    return facts.flatMap { fact($0.0, $0.1) }
  }

  private func fact(_ name: String, _ value: String) -> [String] {
    Layout.wrap(value, width: Self.width - 15).enumerated().map { index, line in
      "  " + style.dim(Layout.pad(index == 0 ? name : "", to: 13)) + line
    }
  }

  private func shards() -> [String] {
    let shards = echo["shards"]?.arrayValue ?? []
    func behind(_ shard: JSON) -> Int { (shard["head"]?.intValue ?? 0) - (shard["delivered"]?.intValue ?? 0) }
    let late = shards.filter { behind($0) > 0 }.sorted { behind($0) > behind($1) }
    guard !late.isEmpty else { return ["  \(FileReport.count(shards.count, "shard")), none behind"] }
    func row(_ cells: [String]) -> String {
      "  " + cells.enumerated().map { Layout.padLeft($1, to: $0 == 0 ? 5 : 13) }.joined(separator: "  ")
    }
    var lines = [style.dim(row(["SHARD", "STORED", "DELIVERED", "BEHIND", "CHECKPOINT"]))]
    for shard in late.prefix(Self.mostShards) {
      let numbers = ["shard", "head", "delivered"].map { "\(shard[$0]?.intValue ?? 0)" }
      lines.append(row(numbers + ["\(behind(shard))", "\(shard["checkpoint"]?.intValue ?? 0)"]))
    }
    let hidden = late.count - Self.mostShards
    if hidden > 0 { lines.append(style.dim("  … and \(hidden) more (all of them: --json)")) }
    let well = shards.count - late.count
    if well > 0 { lines.append("  \(FileReport.count(well, "other shard")), not behind") }
    return lines
  }

  private func consumers() -> [String] {
    (echo["consumers"]?.arrayValue ?? []).flatMap { consumer -> [String] in
      let topics = (consumer["topics"]?.arrayValue ?? []).compactMap(\.stringValue).joined(separator: ", ")
      let letters = consumer["deadLettered"]?.intValue ?? 0
      let facts = [
        "\(consumer["lag"]?.intValue ?? 0) waiting", "\(consumer["handled"]?.intValue ?? 0) handled",
        letters > 0 ? "\(letters) to the dead letters" : nil,
        FileReport.count(consumer["partitions"]?.intValue ?? 0, "partition"),
      ]
      var lines = [
        "", "  " + style.bold(Layout.clip(Layout.printable(topics), to: Self.width - 2)),
        "    " + facts.compactMap { $0 }.joined(separator: ", "),
      ]
      if let problem = consumer.text("problem") {
        lines += Layout.wrap(problem, width: Self.width - 4).map { "    " + style.colour($0, .red) }
      }
      return lines
    }
  }
}
