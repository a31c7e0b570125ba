import JSON
import Values
public import Workflows

/// The result of checking a stream's file.
public struct StreamCheck: Sendable {
  /// Nil when there is an error.
  public let definition: StreamDefinition?
  /// In the order of the file.
  public let findings: [Finding]
  /// The number of further findings.
  public var omitted = 0

  public var errors: [Finding] { findings.filter { $0.severity == .error } }
}

/// Reads the file of a stream and says everything that is wrong with it.
public enum StreamChecker {
  /// The largest file that is read.
  public static let maxBytes = 1 << 20

  /// - Parameters:
  ///   - bytes: the file.
  ///   - file: its name, for the findings.
  public static func check(_ bytes: [UInt8], file: String? = nil) -> StreamCheck {
    let opened: OpenedFile
    do throws(UnreadableFile) {
      opened = try OpenedFile(bytes, file: file, atMost: maxBytes, code: StreamingErrorCode.streamInvalid)
    } catch {
      return StreamCheck(definition: nil, findings: [error.finding])
    }
    let (document, report) = (opened.document, opened.report)
    let definition = StreamReader(report: report).stream(document.root)
    return StreamCheck(
      definition: report.hasErrors ? nil : definition, findings: report.inOrder(), omitted: report.omitted)
  }
}

/// Reads the whole file.
struct StreamReader {
  let report: Report

  private static let kinds = ["transform", "count", "join"]
  private static let code = StreamingErrorCode.streamInvalid

  func stream(_ json: JSON) -> StreamDefinition? {
    let what = "a stream"
    guard
      let reader = ObjectReader(
        json, at: .root, what: what, keys: ["$schema", "name", "description", "to", "type", "late"] + Self.kinds,
        report: report)
    else { return nil }
    _ = reader.text("$schema")
    let name = reader.name("name", of: what)
    let description = reader.text("description")
    let work = work(in: reader)
    let to = topic("to", in: reader, of: what)
    let late = reader.has("late") ? topic("late", in: reader, of: what) : nil
    let type = reader.text("type")
    if let type, type.isEmpty { report.error(Self.code, "\"type\" is empty", at: reader.pointer(to: "type")) }
    if reader.has("late"), reader.has("transform") {
      report.error(
        Self.code, "nothing comes too late for a transform", at: reader.pointer(to: "late"), .name)
    }
    guard let name, let work, let to else { return nil }
    let definition = StreamDefinition(
      name: name, description: description, work: work, to: to, type: type, late: late)
    checkCircle(definition, reader)
    return definition
  }

  /// Checks that a stream does not read its own output, because it would never end.
  private func checkCircle(_ definition: StreamDefinition, _ reader: ObjectReader) {
    if definition.topics.contains(definition.to) {
      report.error(
        Self.code, "the stream reads \"\(definition.to)\" itself: its own output would come back for ever",
        at: reader.pointer(to: "to"))
    }
    guard let late = definition.late else { return }
    if definition.topics.contains(late) {
      report.error(
        Self.code, "the stream reads \"\(late)\" itself: what is late would come back for ever",
        at: reader.pointer(to: "late"))
    } else if late == definition.to {
      report.error(
        Self.code, "\"late\" is the output topic: late events among the results would be taken for results",
        at: reader.pointer(to: "late"))
    }
  }

  private func work(in reader: ObjectReader) -> StreamDefinition.Work? {
    let named = reader.members.keys.filter { Self.kinds.contains($0) }
    guard let kind = named.first, let json = reader.members[kind] else {
      report.error(Self.code, "a stream needs one of \"transform\", \"count\", \"join\"", at: reader.pointer)
      return nil
    }
    for other in named.dropFirst() {
      report.error(
        Self.code, "a stream does one thing, and \"\(kind)\" is one already", at: reader.pointer(to: other), .name)
    }
    let pointer = reader.pointer(to: kind)
    switch kind {
    case "transform": return transform(json, at: pointer).map { .transform($0) }
    case "count": return count(json, at: pointer).map { .count($0) }
    default: return join(json, at: pointer).map { .join($0) }
    }
  }

  // MARK: The three kinds

  private func transform(_ json: JSON, at pointer: JSONPointer) -> TransformPlan? {
    let what = "a transform"
    guard
      let reader = ObjectReader(json, at: pointer, what: what, keys: ["from", "when", "output", "key"], report: report)
    else { return nil }
    let expressions = ExpressionReader(report: report)
    let from = topic("from", in: reader, of: what)
    let when = expressions.condition("when", in: reader)
    if !reader.has("output") { reader.missing("output", of: what) }
    let output = reader.members["output"].flatMap { expressions.template($0, at: reader.pointer(to: "output")) }
    let key = expressions.path("key", in: reader)
    guard let from, let output else { return nil }
    return TransformPlan(input: StreamInput(topic: from, when: when), output: output, key: key)
  }

  private func count(_ json: JSON, at pointer: JSONPointer) -> CountPlan? {
    let what = "a count"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what,
        keys: ["from", "when", "key", "time", "window", "lateness", "idle", "ahead", "closeAfter"], report: report)
    else { return nil }
    let input = input(in: reader, of: what, needsKey: false)
    if !reader.has("window") { reader.missing("window", of: what) }
    let window = reader.members["window"].flatMap { size(of: $0, at: reader.pointer(to: "window")) }
    let timing = timing(in: reader, of: what)
    let closeAfter = reader.duration("closeAfter", positive: false)
    if let closeAfter, let timing, closeAfter < timing.lateness {
      report.error(
        Self.code,
        "\"closeAfter\" (\(DurationText.format(closeAfter))) is shorter than \"lateness\" "
          + "(\(DurationText.format(timing.lateness))): windows would be closed to events that still count",
        at: reader.pointer(to: "closeAfter"))
    }
    guard let input, let window, let timing else { return nil }
    return CountPlan(
      input: input, size: window.size, advance: window.advance, timing: timing, closeAfter: closeAfter)
  }

  private func size(of json: JSON, at pointer: JSONPointer) -> (size: Duration, advance: Duration)? {
    guard
      let reader = ObjectReader(json, at: pointer, what: "a window", keys: ["size", "advance"], report: report)
    else { return nil }
    if !reader.has("size") { reader.missing("size", of: "a window") }
    let size = reader.duration("size")
    let advance = reader.duration("advance")
    guard let size else { return nil }
    let place = reader.pointer(to: "advance")
    guard let advance else { return reader.has("advance") ? nil : (size, size) }
    if advance > size {
      report.error(
        Self.code, "\"advance\" is longer than \"size\": what happens between two windows would not be counted",
        at: place)
      return nil
    }
    if size / advance > Double(CountPlan.mostWindows) {
      report.error(
        Self.code, "each event would be in more than \(CountPlan.mostWindows) windows: let \"advance\" be longer",
        at: place)
      return nil
    }
    return (size, advance)
  }

  private func join(_ json: JSON, at pointer: JSONPointer) -> JoinPlan? {
    let what = "a join"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what, keys: ["left", "right", "within", "lateness", "idle", "ahead"], report: report)
    else { return nil }
    let left = side("left", in: reader)
    let right = side("right", in: reader)
    if !reader.has("within") { reader.missing("within", of: what) }
    let within = reader.duration("within", positive: false)
    let timing = timing(in: reader, of: what)
    guard let left, let right, let within, let timing else { return nil }
    return JoinPlan(left: left, right: right, within: within, timing: timing)
  }

  // MARK: Their parts

  private func side(_ name: String, in reader: ObjectReader) -> StreamInput? {
    guard let json = reader.members[name] else {
      reader.missing(name, of: "a join")
      return nil
    }
    let what = "\"\(name)\""
    guard
      let inner = ObjectReader(
        json, at: reader.pointer(to: name), what: what, keys: ["from", "when", "key", "time"], report: report)
    else { return nil }
    return input(in: inner, of: what, needsKey: true)
  }

  private func input(in reader: ObjectReader, of what: String, needsKey: Bool) -> StreamInput? {
    let expressions = ExpressionReader(report: report)
    let from = topic("from", in: reader, of: what)
    let when = expressions.condition("when", in: reader)
    if needsKey, !reader.has("key") { reader.missing("key", of: what) }
    let key = expressions.path("key", in: reader)
    let time = expressions.path("time", in: reader)
    return from.map { StreamInput(topic: $0, when: when, key: key, time: time) }
  }

  private func timing(in reader: ObjectReader, of what: String) -> StreamTiming? {
    if !reader.has("lateness") {
      report.error(
        Self.code, "\(what) needs \"lateness\": how far out of order events may come and still count (0s: not at all)",
        at: reader.pointer)
    }
    let lateness = reader.duration("lateness", positive: false)
    let idle = reader.duration("idle")
    let ahead = reader.duration("ahead", positive: false)
    return lateness.map {
      StreamTiming(lateness: $0, idle: idle ?? StreamTiming.usualIdle, ahead: ahead ?? StreamTiming.usualAhead)
    }
  }

  /// A topic's name, as Kafka takes it.
  private func topic(_ name: String, in reader: ObjectReader, of what: String) -> String? {
    guard reader.has(name) else {
      reader.missing(name, of: what)
      return nil
    }
    guard let text = reader.text(name) else { return nil }
    let isName = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
    guard isName, (1...249).contains(text.utf8.count), text != ".", text != ".." else {
      report.error(
        Self.code, "\"\(text)\" is not a topic's name: it may have letters, digits, ., _ and -, 249 characters at most",
        at: reader.pointer(to: name))
      return nil
    }
    return text
  }
}
