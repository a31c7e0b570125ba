import JSON
import Values

// The parts that calls over HTTP and Kafka have in common.
extension ActionReader {
  func checkService(_ service: String, among services: Set<String>?, in reader: ObjectReader) {
    guard let services, !services.contains(service) else { return }
    let known = services.sorted()
    report.rule(
      WorkflowErrorCode.unknownService,
      "no service \"\(service)\" is configured"
        + (known.isEmpty ? "" : ": there is \(known.joined(separator: ", "))"),
      at: reader.pointer(to: "service"), near: NearNames.nearest(to: service, among: known))
  }

  /// Reads an object of strings.
  mutating func texts(_ name: String, in reader: ObjectReader) -> [NamedText] {
    members(name, in: reader).compactMap { member in
      text(member.text, at: member.pointer).map { NamedText(name: member.name, value: $0) }
    }
  }

  /// Reads an object of headers.
  /// - Parameter isOwn: returns true when the engine itself sets the header with this lower-case name.
  mutating func headers(in reader: ObjectReader, isOwn: (String) -> Bool) -> [NamedText] {
    var seen: Set<String> = []
    for (name, _) in reader.members["headers"]?.objectValue ?? [:] {
      let pointer = reader.pointer(to: "headers").appending(name)
      checkHeader(name, isOwn: isOwn, at: pointer)
      if !seen.insert(name.lowercased()).inserted {
        report.rule(
          WorkflowErrorCode.badHeader, "\"\(name)\" is there already: case doesn't count", at: pointer, .name)
      }
    }
    return members("headers", in: reader).compactMap { member in
      guard let template = text(member.text, at: member.pointer) else { return nil }
      if member.text.unicodeScalars.contains(where: { $0 == "\r" || $0 == "\n" || $0 == "\0" }) {
        report.rule(
          WorkflowErrorCode.badHeader, "a header's value holds no line break and no NUL", at: member.pointer)
      }
      return NamedText(name: member.name, value: template)
    }
  }

  private func members(_ name: String, in reader: ObjectReader) -> [(name: String, text: String, pointer: JSONPointer)]
  {
    guard let json = reader.members[name] else { return [] }
    guard case .object(let members) = json else {
      reader.wrongType(name, "an object", json)
      return []
    }
    return members.compactMap { member, value in
      let pointer = reader.pointer(to: name).appending(member)
      guard case .string(let text) = value else {
        report.error(
          WorkflowErrorCode.wrongType, "\"\(member)\" is a string, not \(ObjectReader.withArticle(value))", at: pointer)
        return nil
      }
      return (member, text, pointer)
    }
  }

  private func checkHeader(_ name: String, isOwn: (String) -> Bool, at pointer: JSONPointer) {
    let allowed = name.utf8.allSatisfy { byte in
      "!#$%&'*+-.^_`|~".utf8.contains(byte) || (PercentEncoding.isUnreserved(byte) && byte != UInt8(ascii: "~"))
    }
    if name.isEmpty || !allowed {
      report.rule(
        WorkflowErrorCode.badHeader, "\"\(name)\" is no header: names hold letters, digits and - _ and the like",
        at: pointer, .name)
    } else if isOwn(name.lowercased()) {
      report.rule(WorkflowErrorCode.badHeader, "the engine sets \"\(name)\" itself", at: pointer, .name)
    }
  }
}
