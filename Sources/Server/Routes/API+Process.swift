import Assets
import HTTP
import JSON

// The process itself: the requests of load balancers, monitors and client generators.
extension API {
  var processRoutes: [Route] {
    [
      Route(.getHealth) { _ in .json(["status": "alive"]) },
      Route(.getReadiness) { call in
        let full = await readiness()
        let readiness = call.caller.reach(of: .view) == .all ? full : full.withoutDetails
        if let problem = readiness.problem { throw problem }
        return .json(readiness.json)
      },
      Route(.getMetrics, showMetrics),
      Route(.getOpenAPI) { _ in
        .bytes(Assets.bytes("docs/schema/openapi.json") ?? [], type: "application/json")
      },
    ]
  }
}
