// A real OpenID provider with log-in by code and DPoP, for one public client; prints its address.
// usage: node provider.mjs FOLDER-WITH-node_modules AUDIENCE
import http from "node:http";
import { pathToFileURL } from "node:url";

const [folder, audience] = process.argv.slice(2);
const entry = pathToFileURL(`${folder}/node_modules/oidc-provider/lib/index.js`);
const { default: Provider } = await import(entry);
const server = http.createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: "muster", token_endpoint_auth_method: "none", application_type: "native",
      grant_types: ["urn:ietf:params:oauth:grant-type:device_code"], response_types: [],
      redirect_uris: [],
    }],
    claims: { email: ["email", "email_verified"] },
    extraTokenClaims: (_, token) => ({ email: token.accountId, email_verified: true }),
    findAccount: (_, id) => ({
      accountId: id, claims: () => ({ sub: id, email: id, email_verified: true }),
    }),
    features: {
      deviceFlow: { enabled: true }, dPoP: { enabled: true }, devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true, defaultResource: () => audience, useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: "openid email", audience, accessTokenFormat: "jwt", accessTokenTTL: 300,
        }),
      },
    },
  });
  server.on("request", provider.callback());
  console.log(issuer);
});
