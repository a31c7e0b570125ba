import JSON
import Streaming
import Workflows

/// The files of streams, read and checked, each alone and all together.
struct StreamFiles {
  struct File {
    let name: String
    let bytes: [UInt8]
    let check: StreamCheck
    /// The mistakes that show only beside the other files.
    var findings: [Finding]

    var errors: [Finding] { findings.filter { $0.severity == .error } }
  }

  private(set) var files: [File] = []

  init(_ invocation: Invocation) throws {
    for operand in invocation.arguments.operands {
      let bytes = try invocation.bytes(of: operand)
      let name = operand == "-" ? "<stdin>" : operand
      let check = StreamChecker.check(bytes, file: name)
      files.append(File(name: name, bytes: bytes, check: check, findings: check.findings))
    }
    checkNames()
    checkCircles()
  }

  var definitions: [StreamDefinition] { files.compactMap(\.check.definition) }
  var errorCount: Int { files.reduce(0) { $0 + $1.errors.count } }

  /// Checks that names differ, because a stream's state is stored under its name.
  private mutating func checkNames() {
    var seen: [String: String] = [:]
    for index in files.indices {
      guard let name = files[index].check.definition?.name else { continue }
      if let other = seen[name] {
        complain(index, "\(other) is a stream with the name \"\(name)\" too: their state would be one", at: "name")
      } else {
        seen[name] = files[index].name
      }
    }
  }

  /// Checks for streams that feed each other in a circle, because they never come to an end.
  private mutating func checkCircles() {
    let streams = files.enumerated().compactMap { index, file in file.check.definition.map { (index, $0) } }
    for (index, stream) in streams {
      var reached: Set<String> = [stream.to]
      var waiting = [stream.to]
      while let topic = waiting.popLast() {
        for (_, next) in streams where next.topics.contains(topic) && reached.insert(next.to).inserted {
          waiting.append(next.to)
        }
      }
      // A stream that reads its own output already has a finding of its own.
      guard let topic = stream.topics.first(where: reached.contains), topic != stream.to else { continue }
      complain(index, "its output comes back to it through other streams, as \"\(topic)\", for ever", at: "to")
    }
  }

  private mutating func complain(_ index: Int, _ message: String, at member: String) {
    let pointer = JSONPointer.root.appending(member)
    files[index].findings.append(
      Finding(
        severity: .error, code: StreamingErrorCode.streamInvalid, message: message, pointer: pointer,
        place: (try? JSONDocument(parsing: files[index].bytes))?.place(of: pointer), file: files[index].name))
  }

  // MARK: Telling

  func text(_ style: Style) -> String {
    files.flatMap { file -> [String] in
      let source = String(decoding: file.bytes, as: UTF8.self)
        .split(separator: "\n", omittingEmptySubsequences: false)
      return file.findings.flatMap { FindingText(style: style).lines(of: $0, in: source) }
    }.map { $0 + "\n" }.joined()
  }

  var json: JSON {
    .array(
      files.map { file in
        var members: JSONObject = ["file": .string(file.name), "valid": .bool(file.errors.isEmpty)]
        if let definition = file.check.definition { members["name"] = .string(definition.name) }
        members["findings"] = .array(file.findings.map(\.json))
        return .object(members)
      })
  }
}
