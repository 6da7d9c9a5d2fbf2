// Shows /openapi.yaml. Nothing is loaded from another server, and the token
// that is typed in under "Authorize" is forgotten when the page is closed.
SwaggerUIBundle({
  url: "/openapi.yaml",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false,
  validatorUrl: null,
});
