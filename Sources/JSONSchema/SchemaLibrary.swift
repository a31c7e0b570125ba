import JSON

/// Documents that schemas may refer to by their URIs.
public struct SchemaLibrary: Sendable {
  private var documents: [ScalarKey: JSON] = [:]

  /// - Parameter documents: the documents by their URIs, besides those of the standard.
  public init(_ documents: [(uri: String, document: JSON)] = []) {
    self = .standard
    for (uri, document) in documents { self.documents[ScalarKey(uri)] = document }
  }

  private init(texts: [(uri: String, text: String)]) {
    for (uri, text) in texts { documents[ScalarKey(uri)] = try? JSON(parsing: text) }
  }

  /// The metaschema of draft 2020-12 and its vocabularies.
  public static let standard = SchemaLibrary(texts: Metaschemas.all.map { (Metaschemas.base + $0.name, $0.text) })

  func document(_ uri: String) -> JSON? { documents[ScalarKey(uri)] }

  /// The number of documents.
  var count: Int { documents.count }
}
