import HTTP
import Runtime

/// Counts the answers to requests, for the metrics. A request that the server refuses before its route is known, for
/// example because of its host or its size, is not among them.
final class RequestMeters: Sendable {
  let requests = CounterFamily(
    MetricFamily(
      "tracseq_http_requests_total", "Answers to requests, by the route's pattern and the class of the status.",
      labels: [.listed("route"), .listed("method"), .listed("status")]))
  let durations = HistogramFamily(
    MetricFamily(
      "tracseq_http_request_seconds", "From a whole request to the beginning of its answer.",
      labels: [.listed("route"), .listed("method")]),
    upTo: [
      .milliseconds(1), .milliseconds(5), .milliseconds(10), .milliseconds(25), .milliseconds(50), .milliseconds(100),
      .milliseconds(250), .milliseconds(500), .seconds(1), .seconds(5), .seconds(30), .seconds(60),
    ])

  /// The route of a request whose path, or its method, has none.
  static let noRoute = "none"
  private static let methods: Set<String> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

  /// Counts an answer.
  /// - Parameters:
  ///   - route: the pattern of the route, as `/v1/sagas/{id}`; nil without one.
  ///   - time: until the answer began. A request with `wait`, and a poll for tasks, wait in it.
  func answered(_ request: HTTPServerRequest, route: String?, _ response: HTTPServerResponse, in time: Duration) {
    let route = route ?? Self.noRoute
    // Any text can be a method.
    let method = Self.methods.contains(request.method) ? request.method : MetricFamily.other
    requests.add(1, route, method, "\(response.status / 100)xx")
    durations.add(time, route, method)
  }
}
