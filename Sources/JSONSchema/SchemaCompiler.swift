import JSON
import Values

/// Compiles one schema, and the documents of the library that it refers to.
final class SchemaCompiler {
  struct Place {
    let document: Int
    let parent: Int?
    let token: JSONPointer.Token
    let json: JSON
    var resource: Int
    var children: [JSONPointer.Token: Int] = [:]
    var node: Int?
  }

  /// A part of a document with a URI of its own.
  struct Resource {
    var uri: SchemaURI
    let root: Int
    var vocabularies: SchemaVocabularies
    var anchors: [ScalarKey: Int] = [:]
    var dynamicAnchors: [ScalarKey: Int] = [:]
  }

  /// A reference whose target is not known yet.
  struct Reference {
    let node: Int
    let rule: Int
    let keyword: String
    let text: String
  }

  private let library: SchemaLibrary
  private let document: JSON
  /// The URI of each document; empty for the schema itself.
  private var documents: [String] = []
  private(set) var places: [Place] = []
  private(set) var resources: [Resource] = []
  private var resourcesByURI: [ScalarKey: Int] = [:]
  var nodes: [SchemaNode] = []
  private var references: [Reference] = []
  private var depth = 0
  /// The instructions of all patterns.
  var patternSize = 0

  private var findings: [SchemaFinding] = []
  private var errors = 0
  private var warnings = 0
  private var isTooLarge = false

  /// The most schemas, the most of them inside each other, and the most instructions of all patterns together.
  static let mostSchemas = 50_000
  static let deepest = 100
  static let mostPatternSize = 200_000
  /// The most errors, and the most warnings, that are kept.
  private static let mostFindings = 100

  init(_ document: JSON, library: SchemaLibrary) {
    self.document = document
    self.library = library
  }

  func compile() -> SchemaCompilation {
    let root = add(document, uri: "")
    var next = 0
    while next < references.count {
      resolve(references[next])
      next += 1
    }
    if errors == 0 { refuseLoops() }
    let schema =
      errors > 0
      ? nil
      : JSONSchema(
        nodes: nodes,
        places: places.map { JSONSchema.Place(document: $0.document, parent: $0.parent, token: $0.token) },
        resources: resources.map { resource in
          JSONSchema.Resource(dynamicAnchors: resource.dynamicAnchors.compactMapValues { places[$0].node })
        }, documents: documents, root: root)
    return SchemaCompilation(schema: schema, findings: findings, omitted: errors + warnings - findings.count)
  }

  // MARK: Documents and places

  /// Adds a document and compiles it.
  /// - Returns: the node of its root.
  private func add(_ json: JSON, uri: String) -> Int {
    documents.append(uri)
    resources.append(Resource(uri: SchemaURI(uri), root: places.count, vocabularies: .standard))
    resourcesByURI[ScalarKey(uri)] = resources.count - 1
    places.append(
      Place(
        document: documents.count - 1, parent: nil, token: .index(0), json: json, resource: resources.count - 1))
    return schema(at: places.count - 1)
  }

  /// Returns the place of a member or an element; nil when there is none.
  func child(_ token: JSONPointer.Token, of place: Int) -> Int? {
    if let known = places[place].children[token] { return known }
    let json =
      switch token {
      case .name(let name): places[place].json[name]
      case .index(let index): places[place].json[index]
      }
    guard let json else { return nil }
    places[place].children[token] = places.count
    places.append(
      Place(
        document: places[place].document, parent: place, token: token, json: json, resource: places[place].resource))
    return places.count - 1
  }

  private func pointer(to place: Int) -> JSONPointer {
    var tokens: [JSONPointer.Token] = []
    var here = place
    while let parent = places[here].parent {
      tokens.append(places[here].token)
      here = parent
    }
    return JSONPointer(tokens.reversed())
  }

  // MARK: Schemas

  /// Compiles the schema at a place.
  /// - Returns: its node.
  func schema(at place: Int) -> Int {
    if let known = places[place].node { return known }
    let index = nodes.count
    places[place].node = index
    nodes.append(SchemaNode(place: place, resource: places[place].resource))
    depth += 1
    defer { depth -= 1 }
    guard nodes.count <= Self.mostSchemas, depth <= Self.deepest else {
      refuseSize(
        depth > Self.deepest
          ? "more than \(Self.deepest) schemas are inside each other"
          : "the schema has more than \(Self.mostSchemas) parts",
        at: place)
      return index
    }
    switch places[place].json {
    case .bool(let isAllowed): if !isAllowed { nodes[index].rules = [.nothing] }
    case .object(let members):
      identify(members, at: place)
      var node = SchemaNode(place: place, resource: places[place].resource)
      var rules = SchemaRuleReader(compiler: self, members: members, place: place, node: index)
      rules.read()
      node.rules = rules.rules
      node.asksForEvaluated = rules.rules.contains {
        switch $0 {
        case .unevaluatedItems, .unevaluatedProperties: true
        default: false
        }
      }
      nodes[index] = node
      warnOfUnknown(members, at: place)
    case .null, .number, .string, .array:
      error(
        SchemaErrorCode.keyword, "a schema is an object, true or false, not \(places[place].json.kindWithArticle)",
        at: place)
    }
    return index
  }

  func vocabularies(at place: Int) -> SchemaVocabularies { resources[places[place].resource].vocabularies }

  func addReference(_ text: String, keyword: String, node: Int, rule: Int) {
    references.append(Reference(node: node, rule: rule, keyword: keyword, text: text))
  }

  /// Reads the members that give a schema its identity and its dialect.
  private func identify(_ members: JSONObject, at place: Int) {
    var isResource = places[place].parent == nil
    if let id = text("$id", of: members, at: place) {
      let uri = SchemaURI(id)
      if let fragment = uri.fragment, !fragment.isEmpty {
        error(SchemaErrorCode.keyword, "\"$id\" has no fragment; a name for a part is an \"$anchor\"", at: place, "$id")
      } else {
        identify(place, by: uri, isRoot: isResource)
        isResource = true
      }
    }
    if let dialect = text("$schema", of: members, at: place), isResource { use(dialect, at: place) }
    for keyword in ["$anchor", "$dynamicAnchor"] {
      guard let name = text(keyword, of: members, at: place) else { continue }
      guard Self.isAnchor(name) else {
        error(
          SchemaErrorCode.keyword,
          "\"\(keyword)\" begins with a letter or _ and goes on with letters, digits, -, _ and .",
          at: place, keyword)
        continue
      }
      let resource = places[place].resource
      if let other = resources[resource].anchors.updateValue(place, forKey: ScalarKey(name)), other != place {
        error(SchemaErrorCode.keyword, "two parts of the schema have the anchor \"\(name)\"", at: place, keyword)
      }
      if keyword == "$dynamicAnchor" { resources[resource].dynamicAnchors[ScalarKey(name)] = place }
    }
    _ = text("$comment", of: members, at: place)
  }

  private func identify(_ place: Int, by uri: SchemaURI, isRoot: Bool) {
    var resolved = uri.resolved(against: resources[places[place].resource].uri)
    resolved.fragment = nil
    if isRoot {
      resources[places[place].resource].uri = resolved
    } else {
      let outer = vocabularies(at: place)
      resources.append(Resource(uri: resolved, root: place, vocabularies: outer))
      places[place].resource = resources.count - 1
    }
    let key = ScalarKey(resolved.base)
    if let known = resourcesByURI[key], known != places[place].resource {
      error(SchemaErrorCode.keyword, "two parts of the schema have the \"$id\" \(resolved.base)", at: place, "$id")
    }
    resourcesByURI[key] = places[place].resource
  }

  private static func isAnchor(_ name: String) -> Bool {
    func isLatin(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte & 0xDF) || byte == UInt8(ascii: "_") }
    guard let first = name.utf8.first, isLatin(first) else { return false }
    return name.utf8.allSatisfy { isLatin($0) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x2E }
  }

  /// Applies the dialect that a resource names.
  private func use(_ dialect: String, at place: Int) {
    let uri = SchemaURI(dialect).base
    if uri == Metaschemas.base + "schema" { return }
    guard let metaschema = library.document(uri) else {
      let isOther = uri.contains("json-schema.org/draft")
      error(
        SchemaErrorCode.dialect,
        isOther
          ? "the schema is written in another draft; this program knows draft 2020-12: \(Metaschemas.base)schema"
          : "the dialect \(uri) is not known; this program knows draft 2020-12: \(Metaschemas.base)schema",
        at: place, "$schema")
      return
    }
    guard let named = metaschema["$vocabulary"]?.objectValue else { return }
    var vocabularies: SchemaVocabularies = []
    for (name, isRequired) in named {
      if let known = SchemaVocabularies.named(name) {
        vocabularies.formUnion(known)
      } else if isRequired.boolValue == true {
        error(
          SchemaErrorCode.dialect, "the dialect needs the vocabulary \(name), which is not known", at: place, "$schema")
      }
    }
    resources[places[place].resource].vocabularies = vocabularies
  }

  private func warnOfUnknown(_ members: JSONObject, at place: Int) {
    for (name, _) in members {
      guard let near = SchemaKeywords.meant(by: name) else { continue }
      warning(
        SchemaErrorCode.misspelt, "\"\(name)\" is not a keyword of JSON Schema 2020-12; it refuses nothing", at: place,
        name, near: near)
    }
    warnOfMembers(members, at: place)
    warnOfRequired(members, at: place)
  }

  /// Warns of a schema without a keyword whose members look like those of the value: `{"barcode": "string"}`.
  private func warnOfMembers(_ members: JSONObject, at place: Int) {
    guard !members.contains(where: { SchemaKeywords.isKnown($0.name) || SchemaKeywords.meant(by: $0.name) != nil }),
      let name = members.first(where: { !$0.name.hasPrefix("x-") && SchemaKeywords.looksLikeSchema($0.value) })?.name
    else { return }
    warning(
      SchemaErrorCode.misspelt,
      "\"\(name)\" is not a keyword of JSON Schema 2020-12; it refuses nothing: write the members of an object into "
        + "\"properties\", each with a schema", at: place, name, near: "properties")
  }

  /// Warns of a required name that `properties` doesn't have, where another name was meant or no value can have it.
  private func warnOfRequired(_ members: JSONObject, at place: Int) {
    guard let required = members["required"]?.arrayValue, let properties = members["properties"]?.objectValue,
      members["patternProperties"] == nil, properties.count <= Self.mostCompared
    else { return }
    let isClosed = members["additionalProperties"] == false
    for case .string(let name) in required.prefix(Self.mostCompared) where properties[name] == nil {
      let near = NearNames.nearest(to: name, among: properties.keys, within: 2)
      guard isClosed || near != nil else { continue }
      warning(
        SchemaErrorCode.misspelt,
        "\"required\" has \"\(name)\", and \"properties\" does not"
          + (isClosed ? "; \"additionalProperties\": false allows no other member, so no value meets this schema" : ""),
        at: place, "required", near: near)
    }
  }

  /// The most members whose names are compared with each other.
  private static let mostCompared = 200

  // MARK: References

  private func resolve(_ reference: Reference) {
    let place = nodes[reference.node].place
    let uri = SchemaURI(reference.text).resolved(against: resources[places[place].resource].uri)
    guard let resource = resource(uri.base) else {
      error(
        SchemaErrorCode.remoteReference,
        "\"\(reference.text)\" leads out of this schema, to \(uri.base); a schema can only refer to its own parts and to "
          + "draft 2020-12 itself", at: place, reference.keyword)
      return
    }
    let fragment = uri.plainFragment
    guard let target = target(fragment, in: resource, of: reference, at: place) else { return }
    let node = schema(at: target)
    switch reference.keyword {
    case "$dynamicRef":
      var anchor = fragment.map(ScalarKey.init)
      if let name = anchor, resources[places[target].resource].dynamicAnchors[name] != target { anchor = nil }
      nodes[reference.node].rules[reference.rule] = .inPlace(.dynamicRef(node, anchor: anchor))
    default: nodes[reference.node].rules[reference.rule] = .inPlace(.ref(node))
    }
  }

  private func resource(_ uri: String) -> Int? {
    if let known = resourcesByURI[ScalarKey(uri)] { return known }
    guard let document = library.document(uri) else { return nil }
    _ = add(document, uri: uri)
    return resourcesByURI[ScalarKey(uri)]
  }

  /// Returns the place that a fragment names. Reports an error when there is none.
  private func target(_ fragment: String?, in resource: Int, of reference: Reference, at place: Int) -> Int? {
    guard let fragment else { return resources[resource].root }
    guard fragment.utf8.first == UInt8(ascii: "/") else {
      if let anchor = resources[resource].anchors[ScalarKey(fragment)] { return anchor }
      error(
        SchemaErrorCode.reference, "\"\(reference.text)\" leads to nothing: no part of the schema has this anchor",
        at: place, reference.keyword,
        near: NearNames.nearest(to: fragment, among: resources[resource].anchors.keys.map(\.string).sorted()))
      return nil
    }
    var here = resources[resource].root
    for part in fragment.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
      let name = Self.unescaped(part)
      guard let next = child(token(name, in: here), of: here) else {
        error(
          SchemaErrorCode.reference, "\"\(reference.text)\" leads to nothing: there is no \"\(name)\"", at: place,
          reference.keyword,
          near: places[here].json.objectValue.flatMap { NearNames.nearest(to: name, among: $0.keys) })
        return nil
      }
      here = next
    }
    return here
  }

  private func token(_ name: String, in place: Int) -> JSONPointer.Token {
    if case .array = places[place].json, let index = Int(name), "\(index)" == name { return .index(index) }
    return .name(name)
  }

  /// Returns a name of a JSON pointer without its escapes.
  private static func unescaped(_ part: Substring) -> String {
    guard part.contains("~") else { return String(part) }
    var text = String.UnicodeScalarView()
    var scalars = part.unicodeScalars.makeIterator()
    while let scalar = scalars.next() {
      guard scalar == "~" else {
        text.append(scalar)
        continue
      }
      switch scalars.next() {
      case "0": text.append("~")
      case "1": text.append("/")
      case let other:
        text.append("~")
        if let other { text.append(other) }
      }
    }
    return String(text)
  }

  /// Refuses references by which a schema needs itself on the same value: such a check would never end.
  private func refuseLoops() {
    enum Visit { case under, done }
    var visits: [Visit?] = Array(repeating: nil, count: nodes.count)
    for start in nodes.indices where visits[start] == nil {
      var stack = [(node: start, next: 0)]
      visits[start] = .under
      while let (node, next) = stack.last {
        let edges = sameValueSchemas(of: node)
        guard next < edges.count else {
          visits[node] = .done
          stack.removeLast()
          continue
        }
        stack[stack.count - 1].next += 1
        switch visits[edges[next]] {
        case .done: break
        case .under:
          error(
            SchemaErrorCode.reference, "the schema refers back to itself for the same value, so no check of it ends",
            at: nodes[node].place)
          return
        case nil:
          visits[edges[next]] = .under
          stack.append((edges[next], 0))
        }
      }
    }
  }

  /// The schemas that a schema always applies to the same value.
  private func sameValueSchemas(of node: Int) -> [Int] {
    nodes[node].rules.flatMap { rule -> [Int] in
      switch rule {
      case .inPlace(.ref(let target)), .inPlace(.dynamicRef(let target, anchor: nil)): [target]
      case .inPlace(.allOf(let parts)): parts
      default: []
      }
    }
  }

  // MARK: Findings

  /// Returns a text; reports another value.
  func text(_ keyword: String, of members: JSONObject, at place: Int) -> String? {
    guard let json = members[keyword] else { return nil }
    if case .string(let text) = json { return text }
    wrongType(keyword, "a string", json, at: place)
    return nil
  }

  func wrongType(_ keyword: String, _ wanted: String, _ json: JSON, at place: Int) {
    error(SchemaErrorCode.keyword, "\"\(keyword)\" is \(wanted), not \(json.kindWithArticle)", at: place, keyword)
  }

  /// - Parameters:
  ///   - place: the schema.
  ///   - path: the way from it to the value of the finding.
  func error(
    _ code: String, _ message: @autoclosure () -> String, at place: Int, _ path: String...,
    spot: SchemaFinding.Spot = .value, near: @autoclosure () -> String? = nil
  ) {
    errors += 1
    guard errors <= Self.mostFindings else { return }
    add(true, code, message(), place, path, spot, near())
  }

  private func warning(_ code: String, _ message: String, at place: Int, _ name: String, near: String?) {
    // The library's documents are not the author's.
    guard places[place].document == 0 else { return }
    warnings += 1
    guard warnings <= Self.mostFindings else { return }
    add(false, code, message, place, [name], .name, near)
  }

  func refuseSize(_ message: String, at place: Int) {
    guard !isTooLarge else { return }
    isTooLarge = true
    error(SchemaErrorCode.tooLarge, message, at: place)
  }

  private func add(
    _ isError: Bool, _ code: String, _ message: String, _ place: Int, _ path: [String], _ spot: SchemaFinding.Spot,
    _ near: String?
  ) {
    var message = message
    var pointer = pointer(to: place).appending(JSONPointer(path.map { .name($0) }))
    let document = places[place].document
    if document > 0 {
      message = "\(documents[document])#\(pointer.shown): \(message)"
      pointer = .root
    }
    findings.append(
      SchemaFinding(isError: isError, code: code, message: message, pointer: pointer, spot: spot, nearName: near))
  }
}
