# The image that scripts/image builds, with a container engine: the static executable in an empty root.
FROM debian:12 AS build
WORKDIR /src
COPY . .
RUN bash -c '. scripts/lib/deps.sh && need_build_packages && build release zcdp' && mkdir /empty && chmod 1777 /empty

FROM scratch
COPY --from=build /empty /tmp
COPY --from=build /empty /run
COPY --from=build /src/build/release/zcdp /zcdp
ENTRYPOINT ["/zcdp"]
