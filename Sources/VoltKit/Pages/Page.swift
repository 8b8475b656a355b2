internal import VoltCore
internal import VoltCrypto
public import VoltServer

/// A page of a tool: no script, no asset of another place, nothing to press.
public enum Page {
    /// - Parameters:
    ///   - refresh: seconds after which the browser loads it again; nil for never.
    ///   - body: what is in it.
    public static func response(_ title: String, refresh: Int64? = nil, _ body: HTML) -> HTTPResponse {
        let again: HTML = refresh.map { "<meta http-equiv=\"refresh\" content=\"\($0)\">\n" } ?? ""
        let page: HTML = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            \(again)<title>\(title)</title>
            <style>\(HTML(stringLiteral: style))</style></head>
            <body><main>
            \(body)
            </main></body></html>

            """
        var response = HTTPResponse(200, page.text, type: "text/html; charset=utf-8")
        response.headers += [
            ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store"),
        ]
        return response
    }

    /// The one style sheet, allowed by its digest; it holds nothing that HTML reads.
    private static let style = """
        body{font:15px/1.5 system-ui,sans-serif;margin:0;color:#1b1f24;background:#fff}
        main{max-width:72rem;margin:0 auto;padding:1rem}
        h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
        table{border-collapse:collapse;width:100%}
        th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d5dae0;vertical-align:top;overflow-wrap:anywhere}
        th{white-space:nowrap}
        dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}dt{color:#57606a}dd{margin:0;overflow-wrap:anywhere}
        pre{background:#f4f6f8;padding:.75rem;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
        span.good{color:#116329}span.bad{color:#b00020;font-weight:600}span.busy{color:#7a4b00}span.none{color:#57606a}
        @media(prefers-color-scheme:dark){body{color:#e4e8ec;background:#14181c}a{color:#7ab7ff}
        th,td{border-color:#39424c}pre{background:#1f252b}dt,span.none{color:#9aa5b1}
        span.good{color:#5fd07f}span.bad{color:#ff7b86}span.busy{color:#f0b35e}}
        """

    /// Nothing may be loaded, run, framed or sent; the style alone counts (CSP 3).
    private static let policy: String = {
        let hasher = SHA256Hasher()
        hasher.update(style)
        let digest = Base64.encode(hasher.finishBytes())
        return
            "default-src 'none'; style-src 'sha256-\(digest)'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }()
}
