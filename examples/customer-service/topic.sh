case $(cat) in
  *parcel*) echo '{"topic": "delivery"}' ;;
  *) echo '{"topic": "other"}' ;;
esac
