import { defineConfig } from "vite";

export default defineConfig({
  base: "/graphiql/",
  build: {
    // The page is embedded in the server and never loaded over a slow line; one chunk is simplest to cache.
    chunkSizeWarningLimit: 8000,
    modulePreload: { polyfill: false },
    // The Content-Security-Policy allows data: fonts and images, but files are easier to cache.
    assetsInlineLimit: 0,
    rolldownOptions: {
      onLog(level, log, report) {
        // "use client" in the libraries means nothing to a page that renders on the client only.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") report(level, log);
      },
    },
  },
  worker: { format: "es" },
  server: {
    // `npm run dev` beside a running `praxis serve`.
    proxy: { "/graphql": { target: "http://127.0.0.1:8080", ws: true } },
  },
});
