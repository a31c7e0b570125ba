import JSON

/// A compiled JSON Schema, draft 2020-12. It is compiled once and validates any number of values.
///
/// `format` and the keywords on content are annotations, as the standard's default is: nothing is refused by them.
public struct JSONSchema: Sendable {
  /// The place of a schema in its document.
  struct Place: Sendable {
    let document: Int
    /// Nil for the root of the document.
    let parent: Int?
    let token: JSONPointer.Token
  }
  /// A part of a document with an identity of its own.
  struct Resource: Sendable {
    /// The nodes with a `$dynamicAnchor`, by its name.
    var dynamicAnchors: [ScalarKey: Int] = [:]
  }

  let nodes: [SchemaNode]
  let places: [Place]
  let resources: [Resource]
  /// The URI of each document; empty for the schema itself.
  let documents: [String]
  let root: Int

  /// Compiles a schema.
  /// - Parameter library: the documents that references may lead to, besides the schema itself.
  /// - Throws: `SchemaMistakes` with everything that is wrong with the schema.
  public init(_ document: JSON, library: SchemaLibrary = .standard) throws(SchemaMistakes) {
    let result = Self.compile(document, library: library)
    guard let schema = result.schema else {
      throw SchemaMistakes(findings: result.findings.filter(\.isError), omitted: result.omitted)
    }
    self = schema
  }

  init(nodes: [SchemaNode], places: [Place], resources: [Resource], documents: [String], root: Int) {
    self.nodes = nodes
    self.places = places
    self.resources = resources
    self.documents = documents
    self.root = root
  }

  /// Compiles a schema and returns everything that was found in it.
  public static func compile(_ document: JSON, library: SchemaLibrary = .standard) -> SchemaCompilation {
    SchemaCompiler(document, library: library).compile()
  }

  /// Returns every violation of the schema by a value: at most `SchemaVerdict.most`, and the number of further ones.
  /// - Parameter subject: the name of the whole value in messages.
  /// - Throws: the limit of the budget that the validation exceeds.
  public func validate(
    _ value: JSON, as subject: String = "the value", budget: SchemaBudget = .standard
  ) throws(SchemaBudgetExceeded) -> SchemaVerdict {
    var validation = SchemaValidation(self, subject: subject, budget: budget, isCollecting: true)
    return try validation.verdict(on: value)
  }

  /// Returns true when a value meets the schema.
  /// - Throws: the limit of the budget that the validation exceeds.
  public func accepts(_ value: JSON, budget: SchemaBudget = .standard) throws(SchemaBudgetExceeded) -> Bool {
    var validation = SchemaValidation(self, subject: "", budget: budget, isCollecting: false)
    return try validation.verdict(on: value).isValid
  }

  /// Returns the place of a keyword of a node as text: a JSON pointer, after the URI and `#` of another document.
  func location(of node: Int, _ keyword: String? = nil) -> String {
    var tokens: [JSONPointer.Token] = keyword.map { [.name($0)] } ?? []
    var place = places[nodes[node].place]
    while let parent = place.parent {
      tokens.append(place.token)
      place = places[parent]
    }
    let document = documents[place.document]
    return (document.isEmpty ? "" : document + "#") + JSONPointer(tokens.reversed()).shown
  }
}

/// The result of a validation.
public struct SchemaVerdict: Sendable, Hashable {
  /// The violations in the order in which they were found: at most `most`.
  public let violations: [SchemaViolation]
  /// The number of further violations.
  public let omitted: Int
  public let isValid: Bool
  /// The steps of the budget that the validation used.
  public let steps: Int

  /// The most violations that a verdict lists.
  public static let most = 100
}

/// One violation of a schema by a value.
public struct SchemaViolation: Sendable, Hashable {
  /// The place in the value.
  public let instance: JSONPointer
  /// The place of the keyword in the schema, as a JSON pointer. For a schema of another document, the URI of that
  /// document and `#` come first.
  public let keyword: String
  /// One sentence for a person.
  public let message: String

  public init(instance: JSONPointer, keyword: String, message: String) {
    self.instance = instance
    self.keyword = keyword
    self.message = message
  }
}

/// Something that the compiler found in a schema.
public struct SchemaFinding: Sendable, Hashable {
  /// The part of the value at `pointer` that the finding is about.
  public enum Spot: Sendable, Hashable {
    case value
    /// The name of the value's member.
    case name
    /// A place inside a string, as a number of Unicode scalars.
    case inside(Int)
  }

  /// False for a warning.
  public let isError: Bool
  /// One of `SchemaErrorCode`.
  public let code: String
  public let message: String
  /// The place in the schema's document.
  public let pointer: JSONPointer
  public let spot: Spot
  /// The name that was probably meant.
  public let nearName: String?
}

/// The result of compiling a schema.
public struct SchemaCompilation: Sendable {
  /// Nil when there is an error.
  public let schema: JSONSchema?
  /// The errors and warnings: at most the first 100 of each.
  public let findings: [SchemaFinding]
  /// The number of further findings.
  public let omitted: Int
}

/// Why a document is not a schema that can be used.
public struct SchemaMistakes: Error, Sendable, Hashable {
  public let findings: [SchemaFinding]
  public let omitted: Int
}
