import JSON
import Wire

/// The laboratory's own record of its samples and positions.
struct LabAccount: Sendable {
  /// For each reserved position, the saga that reserved it.
  let positions: [String]
  /// The samples that are valid, by their saga.
  let validSamples: Set<String>
  /// Idempotency keys that took effect more than once.
  let repeatedEffects: [String]

  static func read(at url: String, send: @escaping APIClient.Send) async throws -> LabAccount {
    let client = APIClient(server: url, user: nil, send: send)
    let summary = try await client.answer(to: APIRequest(path: ["lab", "summary"])).json
    let request = APIRequest(path: ["lab", "effects"], query: [("moreThan", "1")])
    let effects = try await client.answer(to: request).json
    // Without these members, the account would agree with every result.
    guard let samples = summary["samples"]?.arrayValue, let positions = summary["positions"]?.arrayValue,
      let repeated = effects["effects"]?.objectValue
    else {
      throw CLIError(
        CLIErrorCode.answerUnexpected, "the laboratory at \(url) did not answer with its samples and positions")
    }
    let valid = samples.filter { $0["status"] == "validated" }.compactMap { $0["sagaId"]?.stringValue }
    return LabAccount(
      positions: positions.map { $0["sagaId"]?.stringValue ?? "" }, validSamples: Set(valid),
      repeatedEffects: repeated.keys)
  }
}

/// The results of the plate, and whether the laboratory's account agrees.
struct DemoReport {
  let tubes: [Tube]
  var refused: [RefusedTube] = []
  let account: LabAccount
  let style: Style
  private static let width = 80

  private struct Check {
    let says: String
    let wrong: [String]
    var holds: Bool { wrong.isEmpty }
  }

  var holds: Bool { checks.allSatisfy(\.holds) }

  func lines() -> [String] { [""] + outcomes() + refusals() + [""] + trouble() + books() }

  /// The tubes that the engine refused before anything was done.
  private func refusals() -> [String] {
    guard !refused.isEmpty else { return [] }
    let head = "  ✗ \(Layout.pad("refused", to: 12)) \(Layout.padLeft("\(refused.count)", to: 3))"
    let codes = Dictionary(grouping: refused, by: \.code).sorted { $0.key < $1.key }
    return [style.colour(head, .red)]
      + codes.flatMap { code, tubes in
        [
          "\(Layout.padLeft("\(tubes.count)", to: 8))  \(Layout.pad("at the start", to: 19)) \(code)",
          "          "
            + style.dim(Layout.clip((tubes.count > 1 ? "for example: " : "") + tubes[0].message, to: Self.width - 10)),
        ]
      }
  }

  private func outcomes() -> [String] {
    ["completed", "compensated", "stuck", "abandoned"].flatMap { status -> [String] in
      let those = tubes.filter { $0.status == status }
      guard !those.isEmpty else { return [] }
      let mark = StatusLabel.ofSaga(status)
      return [
        style.colour(
          "  \(mark.symbol) \(Layout.pad(mark.word, to: 12)) \(Layout.padLeft("\(those.count)", to: 3))", mark.colour)
      ]
        + causes(of: those)
    }
  }

  /// Returns the message of the first tube, marked as an example when the messages differ.
  private static func example(of tubes: [Tube]) -> String {
    let messages = tubes.map { $0.cause?.message ?? "" }
    let isOneOfMany = messages.contains { $0 != messages[0] }
    return (isOneOfMany ? "for example: " : "") + messages[0]
  }

  /// Returns each step and code that caused compensation, the number of sagas, and one message.
  private func causes(of tubes: [Tube]) -> [String] {
    let grouped = Dictionary(grouping: tubes.filter { $0.cause != nil }) { tube in
      [tube.cause?.step ?? "", tube.cause?.code ?? ""]
    }
    let sorted = grouped.sorted { ($1.value.count, $0.key[0], $0.key[1]) < ($0.value.count, $1.key[0], $1.key[1]) }
    return sorted.flatMap { key, tubes in
      [
        "\(Layout.padLeft("\(tubes.count)", to: 8))  \(Layout.pad(key[0], to: 19)) \(key[1])",
        "          " + style.dim(Layout.clip(Self.example(of: tubes), to: Self.width - 10)),
      ]
    }
  }

  /// The calls that failed and were retried or undone.
  private func trouble() -> [String] {
    let steps = tubes.flatMap(\.steps)
    let repeated = steps.count { $0.attempt > 1 && $0.status == "succeeded" }
    let unknown = steps.count { $0.error?.outcome == "unknown" && $0.undo?.status == "undone" }
    var lines: [String] = []
    if repeated > 0 {
      lines.append("  \(FileReport.count(repeated, "call")) failed at first and succeeded after a retry.")
    }
    if unknown > 0 {
      let which =
        unknown == 1
        ? "1 call had no answer: it may have happened, so it was undone."
        : "\(unknown) calls had no answer: they may have happened, so they were undone."
      lines.append("  " + which)
    }
    return lines.isEmpty ? [] : lines + [""]
  }

  private func books() -> [String] {
    ["  " + style.bold("Does the laboratory's own record agree?")]
      + checks.flatMap { check -> [String] in
        let mark = check.holds ? style.colour("✓", .green) : style.colour("✗", .red)
        let wrong = check.wrong.prefix(5).map { "      " + $0 }
        return ["  \(mark) \(check.says)"] + wrong
      }
  }

  private var checks: [Check] {
    let held = Dictionary(grouping: account.positions) { $0 }.mapValues(\.count)
    let completed = tubes.filter { $0.status == "completed" }
    let compensated = tubes.filter { $0.status == "compensated" }
    let open = tubes.filter { !["completed", "compensated", "abandoned"].contains($0.status) }
    let named = { (tubes: [Tube]) in tubes.map { "\($0.barcode), saga \($0.id)" } }
    return [
      Check(says: "every saga came to an end", wrong: named(open)),
      Check(
        says: "every completed saga's tube has one position (\(completed.count))",
        wrong: named(completed.filter { held[$0.id] != 1 })),
      Check(
        says: "every completed saga's tube is registered and valid",
        wrong: named(completed.filter { !account.validSamples.contains($0.id) })),
      Check(
        says: "no compensated saga holds a position (\(compensated.count)), or a valid tube",
        wrong: named(compensated.filter { held[$0.id] != nil || account.validSamples.contains($0.id) })),
      Check(
        says: "\(account.positions.count) positions are held in all, one for each completed saga",
        wrong: account.positions.count == completed.count ? [] : ["\(completed.count) sagas completed"]),
      Check(says: "no command took effect twice", wrong: account.repeatedEffects),
    ]
  }

  /// Returns lines to copy.
  func further(program: String, server: String) -> [String] {
    let unknown = tubes.first { tube in
      tube.status == "compensated" && tube.steps.contains { $0.error?.outcome == "unknown" }
    }
    var lines = ["", style.bold("Look further"), "  export SAGA_SERVER=\(server)"]
    if let tube = unknown ?? tubes.first(where: { $0.status == "compensated" }) ?? tubes.first {
      lines.append("  \(Shell.quoted(program)) show \(tube.id)")
      lines.append("  \(Shell.quoted(program)) events \(tube.id)")
    }
    lines.append("  \(Shell.quoted(program)) list --status compensated")
    return lines
  }
}
