#!/bin/sh
# The image's entry point. `server` and `worker` are Prefect's; anything else is run as it is.
# Passwords come from files, so that neither `docker inspect` nor the compose file shows them.
set -eu

case "${1:-}" in
server)
    # Words of the URL, and the file with the password: see compose.yaml.
    if [ -n "${PREFECT_DATABASE_PASSWORD_FILE:-}" ]; then
        password=$(cat "$PREFECT_DATABASE_PASSWORD_FILE")
        PREFECT_API_DATABASE_CONNECTION_URL="postgresql+asyncpg://${PREFECT_DATABASE_USER}:${password}@${PREFECT_DATABASE_HOST}/${PREFECT_DATABASE_NAME}"
        export PREFECT_API_DATABASE_CONNECTION_URL
    fi
    exec prefect server start --host 0.0.0.0 --port "${PREFECT_PORT:-4200}"
    ;;
worker)
    # Both deployments, then the worker that runs them; a pool that is there already is left alone.
    prefect work-pool inspect live-traffic >/dev/null 2>&1 ||
        prefect work-pool create live-traffic --type process
    prefect --no-prompt deploy --all
    exec prefect worker start --pool live-traffic --with-healthcheck
    ;;
*)
    exec "$@"
    ;;
esac
