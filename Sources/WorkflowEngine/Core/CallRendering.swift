import JSON
import Runtime
import Workflows

/// An action with its templates filled in: what an executor performs.
public enum RenderedAction: Sendable, Hashable {
  case http(RenderedHTTP)
}

/// An HTTP action with its templates filled in.
public struct RenderedHTTP: Sendable, Hashable {
  public let service: String
  public let method: String
  /// Percent-encoded, with a leading slash.
  public let path: String
  public let headers: [Field]
  /// Not encoded.
  public let query: [Field]
  public let body: JSON?
  /// The status codes that mean success.
  public let success: [ClosedRange<Int>]

  public struct Field: Sendable, Hashable {
    public let name: String
    public let value: String
  }
}

/// One attempt, as its executor gets it.
public struct StepCall: Sendable, Hashable {
  public let saga: UniqueID
  public let workflow: String
  public let step: String
  public let phase: StepPhase
  public let attempt: Int
  public let action: RenderedAction
  public let idempotencyKey: String
  /// The forward key that an undo undoes.
  public let compensates: String?
  /// How long the attempt may take, from the moment that it is sent.
  public let timeout: Duration
}

/// Fills in actions. Rendering reads the state alone, so it gives the same call before and after a restart.
enum CallRendering {
  /// For an action that bounds itself; the parser resolves an HTTP step's own.
  static let defaultTimeout = Duration.seconds(30)

  static func render(_ action: Action, in document: JSON) throws(ExpressionError) -> RenderedAction? {
    switch action {
    case .http(let http):
      var headers: [RenderedHTTP.Field] = []
      for header in http.headers {
        headers.append(.init(name: header.name, value: try header.value.render(in: document, encoding: .headerValue)))
      }
      var query: [RenderedHTTP.Field] = []
      for item in http.query {
        query.append(.init(name: item.name, value: try item.value.render(in: document, encoding: .none)))
      }
      return .http(
        RenderedHTTP(
          service: http.service, method: http.method, path: try http.path.render(in: document, encoding: .pathSegment),
          headers: headers, query: query, body: try http.body?.render(in: document), success: http.success))
    case .signal, .delay:
      return nil
    }
  }

  /// Why an action can't be rendered, or nil when it can.
  static func problem(with action: Action, in document: JSON) -> StepFailure? {
    do {
      _ = try render(action, in: document)
      return nil
    } catch {
      return StepFailure(code: error.code, message: error.message)
    }
  }
}
