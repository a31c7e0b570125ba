import Assets
import HTTP
import JSON

// The process itself: what a load balancer, a monitor and a client's generator ask.
extension API {
  var processRoutes: [Route] {
    [
      Route("GET", "/healthz", needsEngine: false) { _ in .json(["status": "alive"]) },
      Route("GET", "/readyz") { _ in .json(await readiness().json) },
      Route("GET", "/metrics", needsEngine: false, showMetrics),
      Route("GET", "/openapi.json", needsEngine: false) { _ in
        .bytes(Assets.bytes("docs/schema/openapi.json") ?? [], type: "application/json")
      },
    ]
  }
}
