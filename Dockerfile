# The nats-server in the image is for a container that runs alone; a cluster names its servers with TROUGH_NATS, see compose.yaml.
FROM nats:2.15.2-alpine AS nats

FROM node:24-bookworm-slim AS build
WORKDIR /opt/trough
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
# The image's own node is Node 24, so the packages that bring one are left out.
RUN node node_modules/typescript/bin/tsc -p tsconfig.build.json && npm prune --omit=dev --omit=optional

FROM node:24-bookworm-slim
COPY --from=nats /usr/local/bin/nats-server /usr/local/bin/nats-server
WORKDIR /opt/trough
COPY package.json LICENSE* ./
COPY bin bin
COPY config config
COPY --from=build /opt/trough/node_modules node_modules
COPY --from=build /opt/trough/dist dist
# A volume takes its owner from the folder it is first mounted on.
RUN install -d -o node -g node /var/lib/trough /var/lib/trough-cold && ln -s /opt/trough/bin/trough.mjs /usr/local/bin/trough
ENV NODE_ENV=production \
    TROUGH_BIND=0.0.0.0 \
    TROUGH_DATA=/var/lib/trough \
    TROUGH_COLD=/var/lib/trough-cold
USER node
WORKDIR /var/lib/trough
VOLUME ["/var/lib/trough", "/var/lib/trough-cold"]
EXPOSE 6444 6222 6111 6112
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["node", "/opt/trough/bin/healthcheck.mjs"]
ENTRYPOINT ["node", "--max-semi-space-size=16", "/opt/trough/dist/main.js"]
